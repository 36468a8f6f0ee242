/** The settings that can be changed while the controller runs. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { badge, panel } from "../../lib/parts.js";
import { toast } from "../../lib/toast.js";

const REQUESTS = "Requests of an address";
const RECORDS = "What is written down";

/** @type {import("../../lib/fields.js").Field[]} */
const FIELDS = [
  {
    name: "requests",
    label: "Requests a minute",
    kind: "number",
    min: 0,
    max: 1e8,
    group: REQUESTS,
    hint: "Of one address; 0 is without a limit",
  },
  {
    name: "strict_requests",
    label: "Strict requests a minute",
    kind: "number",
    min: 1,
    max: 1e8,
    group: REQUESTS,
    hint: "Changes of keys, users and webhooks, and reading the audit log",
  },
  {
    name: "failed_keys",
    label: "Wrong keys a minute",
    kind: "number",
    min: 1,
    max: 1e8,
    group: REQUESTS,
    hint: "After these an address is refused for a while",
  },
  { name: "log_requests", label: "Write each request to the log", kind: "checkbox", group: RECORDS },
  { name: "audit_requests", label: "Write reading requests to the audit log too", kind: "checkbox", group: RECORDS },
  {
    name: "audit_retention_days",
    label: "Days that the audit log is kept",
    kind: "number",
    min: 0,
    max: 36500,
    group: RECORDS,
    hint: "0 keeps it for ever",
  },
];

/** @param {() => void} load Loads the settings again. */
export function livePanel(load) {
  const box = h("div", { class: "settings-form" });
  const changed = h("div");
  let known;

  /** What is being edited is kept: only fields that show the old value take the new one. */
  function take(settings) {
    show(changed, settings.changed.length ? given(settings.changed, load) : null);
    if (!known) {
      fields.set(settings);
      box.append(fields.element);
    } else {
      const typed = fields.values();
      const isEdited = ({ name }) => typed[name] !== known[name];
      fields.set(Object.fromEntries(FIELDS.map((field) => [field.name, isEdited(field) ? typed[field.name] : settings[field.name]])));
    }
    known = settings;
  }
  const fields = form({
    fields: FIELDS,
    submit: "Save",
    onSubmit: async (values) => {
      const changes = Object.fromEntries(Object.entries(values).filter(([name, value]) => value !== known[name]));
      if (!Object.keys(changes).length) return toast("Nothing was changed", { tone: "info" });
      const settings = await api.patch("/api/settings", changes);
      known = settings;
      take(settings);
      toast("The settings are changed");
      return load();
    },
  });
  return { element: panel("In force at once", [changed, box]), take };
}

const labelOf = (name) => FIELDS.find((field) => field.name === name)?.label ?? name;

/** The settings that were changed here, each with a way back to the configuration. */
const given = (names, load) =>
  h(
    "ul",
    { class: "changed-settings", "aria-label": "Settings that were changed here" },
    names.map((name) =>
      h(
        "li",
        { "data-key": name },
        badge("changed here", "info"),
        h("span", labelOf(name)),
        actionButton({
          label: "Back to the configuration's value",
          role: "admin",
          request: () => api.patch("/api/settings", { [name]: null }),
          done: `${labelOf(name)}: as the configuration says`,
          after: load,
        }),
      ),
    ),
  );
