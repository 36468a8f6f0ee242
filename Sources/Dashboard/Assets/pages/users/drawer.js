/** One user: how to connect, what was used, the settings; and the drawer that makes one. */

import { api, segment } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { time, timeUntil } from "../../lib/format.js";
import { emptyState } from "../../lib/parts.js";
import { userActions } from "./actions.js";
import { connect } from "./connect.js";
import { userForm } from "./form.js";
import { showPassword } from "./password.js";
import { standingBadge } from "./people.js";
import { inUrl } from "./choices.js";
import { usage } from "./usage.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./people.js").people>} state
 */
export function userDrawer(context, state) {
  context.drawer({
    render(name, drawer) {
      if (!drawer.isFollowing) follow(context, drawer, name);
      const user = drawer.user ?? state.user(name);
      if (!user) return { title: name, tabs: [{ name: "", title: "User", render: () => absent(state, name) }] };
      return {
        title: user.name,
        subtitle: subtitle(user),
        actions: userActions(context, user, () => drawer.close()),
        tabs: tabs(context, drawer, user),
      };
    },
  });
}

function follow(context, drawer, name) {
  drawer.isFollowing = true;
  context.subscribe(
    "users",
    (items) => {
      const before = drawer.user;
      drawer.user = items.get(name);
      if (!drawer.content || before === drawer.user) return;
      drawer.refresh();
      if (Boolean(before) !== Boolean(drawer.user)) drawer.showTabAgain();
    },
    drawer.signal,
  );
}

const subtitle = (user) =>
  h(
    "span",
    { class: "row" },
    standingBadge(user),
    user.expires_at ? h("span", "expires ", timeUntil(user.expires_at)) : null,
    user.old_password_expires_at ? h("span", "the old password ends ", timeUntil(user.old_password_expires_at)) : null,
    h("span", "made ", time(user.created_at)),
  );

const absent = (state, name) =>
  state.isLoaded()
    ? emptyState({
        title: `There is no user ${name}`,
        text: "It was removed, or never was.",
        action: h("a", { class: "button", href: "/users" }, "All users"),
      })
    : h("p", { class: "loading" }, "Loading");

function tabs(context, drawer, user) {
  const inTab = () => context.within(drawer.tabSignal);
  return [
    { name: "", title: "Connect", render: () => connect(inTab(), { user: drawer.user ?? user, choices: inUrl(inTab()) }) },
    { name: "usage", title: "Usage", render: () => usage(inTab(), user.name) },
    { name: "settings", title: "Settings", render: () => settings(inTab(), drawer.user ?? user) },
  ];
}

const settings = (context, user) =>
  userForm({
    user,
    submit: "Save",
    save: (body) => api.patch(`/api/users/${segment(user.name)}`, body, { signal: context.signal }),
    done: `${user.name} is changed`,
  });

/** The drawer that makes a user, while `make` is in the URL. */
export function makeDrawer(context) {
  context.drawer({
    name: "make",
    render: (_, drawer) => ({
      title: "New user",
      subtitle: "Without a password one is made, and shown once",
      tabs: [{ name: "", title: "New user", render: () => making(context, drawer) }],
    }),
  });
}

const making = (context, drawer) =>
  userForm({
    submit: "Make the user",
    cancel: () => drawer.close(),
    save: (body) => api.post("/api/users", body),
    done: "",
    async after(user) {
      await showPassword(context, user, `${user.name} is made`);
      context.query.set({ make: null, open: user.name, tab: null });
    },
  });
