/** The browsers that are signed in. An admin sees all, others those of their own key. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { duration, time, timeUntil } from "../../lib/format.js";
import { keyLink } from "../../lib/links.js";
import { badge, emptyState, loader, panel } from "../../lib/parts.js";
import { onRevision } from "../../lib/revision.js";
import { signOut } from "../../lib/session.js";
import { table } from "../../lib/table.js";

/** @param {import("../../lib/page.js").Context} context */
export function sessionsPanel(context) {
  const rows = table(context, {
    caption: "Sessions",
    key: ({ id }) => id,
    sort: "sessions",
    defaultSort: "-used",
    columns: columns(context, () => load()),
    empty: () =>
      emptyState({
        title: "No browser is signed in",
        text: "A link that signs in once is made by the command.",
        command: "sallyport dashboard",
      }),
  });
  const { problem, load } = loader(async () => {
    const { sessions } = await api.get("/api/auth/sessions", { signal: context.signal });
    rows.update(sessions);
  });
  onRevision(context, "sessions", load);
  return { element: panel("Sessions", [problem, rows.element], { class: "flush" }), load };
}

const columns = (context, load) => [
  {
    name: "key",
    title: "Key",
    value: ({ key }) => key.name,
    cell: ({ key, current }) => [
      context.session.may("admin") ? keyLink(key.name) : key.name,
      current ? [" ", badge("this browser", "good")] : null,
    ],
  },
  { name: "role", title: "Role", optional: true, value: ({ key }) => key.role },
  { name: "address", title: "From", value: ({ address }) => address },
  { name: "agent", title: "Browser", optional: true, class: "long", value: ({ user_agent: agent }) => agent },
  { name: "used", title: "Last used", value: ({ last_used_at: at }) => at && Date.parse(at), cell: ({ last_used_at: at }) => time(at) },
  {
    name: "ends",
    title: "Ends",
    optional: true,
    value: ({ expires_at: at }) => at && Date.parse(at),
    cell: ({ expires_at: at, idle_seconds: idle }) =>
      h("span", { title: idle && `or ${duration(idle)} after its last use` }, timeUntil(at)),
  },
  { name: "end", title: "", sortable: false, value: () => "", cell: (session) => end(session, load) },
];

const end = (session, load) =>
  actionButton({
    label: session.current ? "Sign out" : "End",
    role: "viewer",
    confirm: {
      title: session.current ? "Sign out?" : `End this session of ${session.key.name}?`,
      consequence: session.current
        ? "This browser is signed out. Sign in with a key to go on."
        : "The browser is signed out at once. Its key stays valid: revoke the key to keep it out.",
      action: session.current ? "Sign out" : "End the session",
    },
    request: () => (session.current ? signOut() : api.delete(`/api/auth/sessions/${session.id}`)),
    done: session.current ? undefined : "The session is ended",
    after: load,
  });
