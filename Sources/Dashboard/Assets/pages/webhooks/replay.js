/** Events are sent again, from one on. */

import { api } from "../../lib/api.js";
import { form } from "../../lib/form.js";
import { h } from "../../lib/dom.js";
import { confirm } from "../../lib/dialog.js";
import { note } from "../../lib/parts.js";
import { toast } from "../../lib/toast.js";

export function replay(hook, load) {
  const fields = form({
    fields: [
      {
        name: "after",
        label: "After the event",
        kind: "text",
        required: true,
        placeholder: "1763686923456-0",
        hint: "An event's id, as its drawer shows it; 0-0 is before the first that is kept",
      },
    ],
    values: { after: hook.last_dead_letter ? before(hook.last_dead_letter) : "0-0" },
    submit: "Send again",
    onSubmit: async ({ after }) => {
      const isWanted = await confirm({
        title: "Send events again?",
        consequence: `All events after ${after} that this webhook wants are sent again, in their order. The receiver may get some twice; each has its own id.`,
        action: "Send again",
      });
      if (!isWanted) return;
      await api.post(`/api/webhooks/${hook.id}/replay`, { after });
      toast("The events are sent again");
      load();
    },
  });
  return [
    hook.last_dead_letter
      ? note("The field begins right before the latest event that was given up.", "info")
      : h("p", "A receiver that has lost events gets them again, as far as they are kept."),
    fields.element,
  ];
}

/** A place right before an event's id, `milliseconds-number`. */
function before(id) {
  const [milliseconds, number] = id.split("-").map(Number);
  return number > 0 ? `${milliseconds}-${number - 1}` : `${milliseconds - 1}-999999`;
}
