/** How a webhook goes, in a word. */

import { badge } from "../../lib/parts.js";

export function stateOf(hook) {
  if (!hook.enabled) return badge(hook.disabled_at ? "disabled after failures" : "disabled", hook.disabled_at ? "bad" : "idle");
  if (hook.failures > 0) return badge(`failing, ${hook.failures} tries`, "warn");
  return hook.delivered_at ? badge("delivers", "good") : badge("nothing sent yet", "info");
}
