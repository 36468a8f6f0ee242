/** The form of a webhook, and the secret that is shown once. */

import { api } from "../../lib/api.js";
import { dialog } from "../../lib/dialog.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { copyable, note } from "../../lib/parts.js";

const FORMATS = [
  { value: "sallyport", label: "Sallyport: every field, as JSON" },
  { value: "slack", label: "Slack: a message" },
  { value: "discord", label: "Discord: a message" },
  { value: "teams", label: "Teams: a message" },
  { value: "telegram", label: "Telegram: a message" },
];

/** @type {import("../../lib/fields.js").Field[]} */
export const FIELDS = [
  { name: "url", label: "Address", kind: "text", required: true, placeholder: "https://hooks.example.com/sallyport" },
  { name: "format", label: "Format", kind: "select", options: FORMATS, hint: "Of the requests' bodies" },
  {
    name: "kinds",
    label: "Kinds of events",
    kind: "list",
    placeholder: "pool.failover, alert.raised",
    hint: "Divided by commas; none for all",
  },
  { name: "countries", label: "Countries", kind: "list", placeholder: "US, DE", hint: "Codes, divided by commas; none for all" },
];

const SECRET = {
  name: "secret",
  label: "Secret",
  kind: "password",
  hint: "Signs the requests: 32 to 128 random characters. Without one, one is made and shown once.",
};

/** Opens the dialog of a new webhook. @param {() => void} made */
export function makeWebhook(made) {
  const fields = form({
    fields: [...FIELDS, SECRET],
    submit: "Make the webhook",
    onCancel: () => box.close(),
    onSubmit: async (values) => {
      const hook = await api.post("/api/webhooks", values);
      box.close();
      made();
      showSecret(hook);
    },
  });
  const box = dialog({ title: "New webhook", body: fields.element });
  fields.focus();
}

const showSecret = (hook) =>
  dialog({
    title: "The webhook is made",
    body: [
      note("The secret is shown once. The receiver checks with it that a request is from here.", "warn"),
      copyable(hook.secret, { block: true, label: "Copy the secret" }),
      h("p", "Events from now on are sent. Send a test to see that the receiver takes them."),
      h("a", { class: "button", href: `/webhooks?open=${hook.id}`, onclick: (event) => event.target.closest("dialog").close() }, "Open it"),
    ],
  });
