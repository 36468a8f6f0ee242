/** One key: rename it, revoke it, see what was done with it. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { time, timeUntil } from "../../lib/format.js";
import { copyable, emptyState, facts, loading, note } from "../../lib/parts.js";
import { toast } from "../../lib/toast.js";
import { href } from "../../lib/url.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {{all: any[], isLoaded: boolean}} keys
 * @param {() => void} load Loads keys and sessions again.
 */
export function keyDrawer(context, keys, load) {
  let shown;
  context.drawer({
    render(name, drawer) {
      shown = drawer;
      const key = find(keys, name);
      return {
        title: key?.name ?? name,
        subtitle: key && `${key.role} key`,
        actions: key && !key.configured && revoke(key, drawer, load),
        tabs: [{ name: "", title: "Key", render: () => content(find(keys, name), keys, { context, load }) }],
      };
    },
  });
  return {
    /** The keys have changed. A name that is half typed stays. */
    refresh() {
      if (!shown || shown.signal.aborted) return;
      shown.refresh();
      if (!shown.body.querySelector("form")) shown.renderTab();
    },
  };
}

/** By its name, or by its id, which stays when it is renamed. */
const find = (keys, name) => keys.all.find((key) => key.name === name) ?? keys.all.find(({ id }) => id === name);

function content(key, keys, { context, load }) {
  if (!key && !keys.isLoaded) return loading();
  if (!key)
    return emptyState({
      title: "No such key",
      text: "It was revoked or renamed. What was done with it is in the audit log.",
      action: audit(context.query.get("open")),
    });
  return [
    facts([
      ["Role", key.role],
      ["Last used", time(key.last_used_at)],
      ["Ends", key.expires_at ? timeUntil(key.expires_at) : "never"],
      ["Made", time(key.created_at)],
      ["Id", copyable(key.id)],
      ["What was done with it", audit(key.name)],
    ]),
    key.configured ? note("A key of the configuration is changed and revoked there.") : rename(key, context, load),
  ];
}

const audit = (name) => h("a", { href: href("/audit", { key: name }) }, "Audit log");

const rename = (key, context, load) =>
  form({
    fields: [{ name: "name", label: "Name", kind: "text", required: true, hint: "Its id and the key itself stay" }],
    values: key,
    submit: "Rename",
    onSubmit: async ({ name }) => {
      await api.patch(`/api/auth/keys/${key.id}`, { name });
      toast(`${key.name} is ${name} now`);
      await load();
      context.query.set({ open: name });
    },
  }).element;

const revoke = (key, drawer, load) =>
  actionButton({
    label: "Revoke",
    role: "admin",
    danger: true,
    confirm: {
      title: `Revoke the key ${key.name}?`,
      consequence:
        "Programs with this key are refused from now on, and browsers that have signed in with it are signed out at once. It can't be taken back.",
      action: `Revoke ${key.name}`,
      danger: true,
      typed: key.role === "admin" ? key.name : undefined,
    },
    request: () => api.delete(`/api/auth/keys/${key.id}`),
    done: `The key ${key.name} is revoked`,
    after: () => {
      drawer.close();
      load();
    },
  });
