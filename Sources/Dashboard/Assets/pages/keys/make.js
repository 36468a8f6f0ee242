/** A new key, which is shown once. */

import { api } from "../../lib/api.js";
import { dialog } from "../../lib/dialog.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { copyable, note } from "../../lib/parts.js";

const ROLES = [
  { value: "viewer", label: "viewer: reads" },
  { value: "operator", label: "operator: also changes exits and pools, and reads the log" },
  { value: "admin", label: "admin: everything, also users, keys and settings" },
];

/** Opens the dialog. @param {() => void} made */
export function makeKey(made) {
  const fields = form({
    fields: [
      { name: "name", label: "Name", kind: "text", required: true, placeholder: "grafana", hint: "1 to 64 of A-Z a-z 0-9 _ . -" },
      { name: "role", label: "Role", kind: "select", options: ROLES },
      { name: "expires_in_seconds", label: "Ends after", kind: "seconds", hint: "Empty: the key does not end by itself" },
    ],
    submit: "Make the key",
    onCancel: () => box.close(),
    onSubmit: async (values) => {
      const key = await api.post("/api/auth/keys", values);
      box.close();
      made();
      showKey(key);
    },
  });
  const box = dialog({ title: "New API key", body: fields.element });
  fields.focus();
}

const showKey = ({ name, role, key }) =>
  dialog({
    title: `The key ${name} is made`,
    body: [
      note("The key is shown once; only its SHA-256 is kept.", "warn"),
      copyable(key, { block: true, label: "Copy the key" }),
      h("p", `A program with it has the role ${role}:`),
      copyable(`curl -H 'X-API-Key: ${key}' ${location.origin}/api/auth/me`, { block: true, label: "Copy the line" }),
    ],
  });
