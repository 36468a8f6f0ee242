/** What can be done with a user, and what each does to their connections. */

import { actionButton } from "../../lib/actions.js";
import { api, segment } from "../../lib/api.js";
import { dialog } from "../../lib/dialog.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { showPassword } from "./password.js";

const path = (user) => `/api/users/${segment(user.name)}`;

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {any} user
 * @param {() => void} removed
 */
export const userActions = (context, user, removed) => [
  h("button", { class: "button", type: "button", onclick: () => rotate(context, user) }, "New password"),
  user.disabled ? enable(user) : disable(user),
  actionButton({
    label: "Remove",
    role: "admin",
    danger: true,
    confirm: {
      title: `Remove ${user.name}?`,
      consequence: [
        h("p", "New connections with this name are refused with 407 authentication_failed."),
        h("p", "To refuse the user for a while only, disable it."),
      ],
      action: `Remove ${user.name}`,
      danger: true,
      typed: user.name,
    },
    request: () => api.delete(path(user)),
    done: `${user.name} is removed`,
    after: removed,
  }),
];

const disable = (user) =>
  actionButton({
    label: "Disable",
    role: "admin",
    confirm: {
      title: `Disable ${user.name}?`,
      consequence:
        "New connections are refused with 403 user_disabled until the user is enabled again. Password, limits and usage are kept.",
      action: `Disable ${user.name}`,
    },
    request: () => api.patch(path(user), { disabled: true }),
    done: `${user.name} is disabled`,
  });

const enable = (user) =>
  actionButton({
    label: "Enable",
    role: "admin",
    primary: true,
    request: () => api.patch(path(user), { disabled: false }),
    done: `${user.name} is enabled`,
  });

/** Asks how long the present password stays, and shows the new one once. */
async function rotate(context, user) {
  const asked = form({
    fields: [
      {
        name: "overlap_seconds",
        label: "The present password stays valid for",
        kind: "seconds",
        hint: "So that programs can be changed one by one. 0 ends it at once: programs that have it are refused with 407.",
      },
      {
        name: "password",
        label: "New password",
        kind: "password",
        placeholder: "made, and shown once",
        hint: "12 to 128 printable ASCII characters, or nothing.",
      },
    ],
    values: { overlap_seconds: 86_400 },
    submit: "Give a new password",
    onCancel: () => box.close(),
    onSubmit: async ({ overlap_seconds: overlap = 0, ...rest }) =>
      box.close(await api.post(`${path(user)}/rotate`, { overlap_seconds: overlap, ...rest })),
  });
  const box = dialog({ title: `A new password for ${user.name}`, body: asked.element });
  asked.focus();
  const answer = await box.closed;
  if (answer) await showPassword(context, answer, `${user.name} has a new password`);
}
