/** One webhook: how it goes, its deliveries, its settings; test, replay, disable, remove. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { time, timeUntil } from "../../lib/format.js";
import { copyable, emptyState, facts, loading, note } from "../../lib/parts.js";
import { toast } from "../../lib/toast.js";
import { deliveries } from "./deliveries.js";
import { FIELDS } from "./form.js";
import { replay } from "./replay.js";
import { stateOf } from "./state.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {{byId: Map<string, any>, isLoaded: boolean}} hooks
 * @param {() => Promise<void>} load Loads them again.
 */
export function webhookDrawer(context, hooks, load) {
  let shown;
  context.drawer({
    render(id, drawer) {
      shown = drawer;
      const hook = hooks.byId.get(id);
      const tab = (name, title, render) => ({ name, title, render: () => own(hooks, id, render) });
      return {
        title: hook ? new URL(hook.url).host : "Webhook",
        subtitle: hook ? stateOf(hook) : h("code", id),
        actions: hook && actions(hook, drawer, load),
        tabs: [
          tab("", "State", (hook) => state(hook)),
          tab("deliveries", "Deliveries", (hook) => deliveries(drawer, hook)),
          tab("replay", "Replay", (hook) => replay(hook, load)),
          tab("settings", "Settings", (hook) => settings(hook, load)),
        ],
      };
    },
  });
  return {
    /** The webhooks have changed: the drawer shows it. A form that is half filled stays. */
    refresh() {
      if (!shown || shown.signal.aborted) return;
      shown.refresh();
      if (!shown.body.querySelector("form")) shown.renderTab();
    },
  };
}

/** A tab's content, when the webhooks have been loaded. */
function own(hooks, id, render) {
  const hook = hooks.byId.get(id);
  if (hook) return render(hook);
  return hooks.isLoaded ? emptyState({ title: "No such webhook", text: "It was removed." }) : loading();
}

const state = (hook) => [
  hook.disabled_at &&
    note(
      "It was disabled because it had failed for too long, or the receiver said that it is gone. Enable it to go on where it was.",
      "bad",
    ),
  hook.last_error && note(hook.last_error, "warn"),
  facts([
    ["Address", copyable(hook.url)],
    ["Format", hook.format],
    ["Events", hook.kinds.length ? hook.kinds.join(", ") : "all kinds"],
    ["Countries", hook.countries.length ? hook.countries.join(", ") : "all"],
    ["Made", time(hook.created_at)],
    ["Delivered", hook.delivered_at && time(hook.delivered_at)],
    ["Failed tries in a row", hook.failures],
    ["Failing", hook.failing_since && time(hook.failing_since)],
    ["Next try", hook.retry_at && timeUntil(hook.retry_at)],
    ["Events given up", hook.dead_letters],
    ["The latest of these", hook.last_dead_letter && copyable(hook.last_dead_letter)],
    ["Place in the events", copyable(hook.cursor)],
    ["Id", copyable(hook.id)],
  ]),
];

function actions(hook, drawer, load) {
  const path = `/api/webhooks/${hook.id}`;
  return [
    actionButton({
      label: "Send a test",
      role: "admin",
      primary: true,
      request: () => api.post(`${path}/test`),
      after: (found) => {
        const answer = found.status ? `status ${found.status}` : (found.error ?? "no answer");
        toast(found.delivered ? `The receiver took the test (${answer})` : `The test was not taken: ${found.error ?? answer}`, {
          tone: found.delivered ? "good" : "bad",
        });
        load();
      },
    }),
    hook.enabled
      ? actionButton({
          label: "Disable",
          role: "admin",
          confirm: {
            title: "Disable this webhook?",
            consequence: "Nothing is sent until it is enabled again. It then goes on where it was.",
            action: "Disable",
          },
          request: () => api.patch(path, { enabled: false }),
          done: "The webhook is disabled",
          after: load,
        })
      : actionButton({
          label: "Enable",
          role: "admin",
          request: () => api.patch(path, { enabled: true }),
          done: "The webhook is enabled",
          after: load,
        }),
    actionButton({
      label: "Remove",
      role: "admin",
      danger: true,
      confirm: {
        title: `Remove the webhook to ${new URL(hook.url).host}?`,
        consequence: "Nothing is sent to it any more, and its deliveries are forgotten. A new one has another secret.",
        action: "Remove the webhook",
        danger: true,
      },
      request: () => api.delete(path),
      done: "The webhook is removed",
      after: () => {
        drawer.close();
        load();
      },
    }),
  ];
}

function settings(hook, load) {
  const fields = form({
    fields: FIELDS,
    values: hook,
    submit: "Save",
    onSubmit: async (values) => {
      await api.patch(`/api/webhooks/${hook.id}`, values);
      toast("The webhook is changed");
      load();
    },
  });
  return [fields.element, h("p", { class: "hint" }, "The secret stays. A webhook with another secret is a new webhook.")];
}
