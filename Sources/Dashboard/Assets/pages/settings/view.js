/** What can be changed while the controller runs, and the whole configuration with where each value comes from. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { loader, pageHead } from "../../lib/parts.js";
import { onRevision } from "../../lib/revision.js";
import { toast } from "../../lib/toast.js";
import { configurationPanel } from "./configuration.js";
import { livePanel } from "./live.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const values = livePanel(() => load());
  const configuration = configurationPanel(context);
  const { problem, load } = loader(async () => {
    const ask = (path) => api.get(path, { signal: context.signal });
    const [settings, config] = await Promise.all([ask("/api/settings"), ask("/admin/config")]);
    values.take(settings);
    configuration.update(config.values);
  });
  onRevision(context, "settings", load);
  return [
    pageHead("Settings", {
      subtitle: "Values that are changed here stay after a start and count at all controllers.",
      actions: reload(load),
    }),
    problem,
    values.element,
    configuration.element,
  ];
}

const reload = (load) =>
  actionButton({
    label: "Read the configuration again",
    role: "admin",
    confirm: {
      title: "Read the configuration again?",
      consequence:
        "What has changed in the file counts at once, as far as it needs no restart. With a mistake in it everything stays as it is.",
      action: "Read it again",
    },
    request: () => api.post("/admin/reload"),
    after: ({ changed, needs_restart: later }) => {
      const now = changed.length ? `In force: ${changed.join(", ")}.` : "Nothing has changed.";
      toast(later.length ? `${now} After a restart: ${later.join(", ")}.` : now, { tone: later.length ? "warn" : "good" });
      load();
    },
  });
