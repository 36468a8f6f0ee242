/** All settings of a user. */

import { form } from "../../lib/form.js";
import { h } from "../../lib/dom.js";
import { live } from "../../lib/live.js";
import { toast } from "../../lib/toast.js";

const RULES = [
  { value: "with_password", label: "the password, and one of these addresses" },
  { value: "instead_of_password", label: "one of these addresses, without a password" },
];

/** Limits that are taken away by null. */
const LIMITS = ["connections", "connections_per_second", "bytes_per_day", "bytes_per_month", "bytes_total"];

/**
 * @param {{user?: any, submit: string, save: (body: any) => Promise<any>, done: string, after?: (user: any) => any, cancel?: () => void}} options
 */
export function userForm({ user, submit, save, done, after, cancel }) {
  const made = form({
    fields: fields(user),
    values: user ?? { address_rule: "with_password" },
    submit,
    onCancel: cancel,
    onSubmit: async (values) => {
      const saved = await save(body(values, Boolean(user)));
      if (done) toast(done);
      await after?.(saved);
    },
  });
  return h("div", { class: "two-columns" }, made.element);
}

/** What is empty is left out of a new user, and taken away from one that is changed. */
function body(values, isChange) {
  const limits = values.limits ?? {};
  if (!isChange) return { ...values, limits };
  return {
    ...values,
    expires_at: values.expires_at ?? null,
    limits: Object.fromEntries(LIMITS.map((name) => [name, limits[name] ?? null])),
  };
}

const fields = (user) =>
  [
    !user && {
      name: "name",
      label: "Name",
      kind: "text",
      required: true,
      placeholder: "bob",
      hint: "1 to 32 of a-z 0-9 _ . – no hyphen: it begins the parameters.",
    },
    !user && {
      name: "password",
      label: "Password",
      kind: "password",
      placeholder: "made, and shown once",
      hint: "12 to 128 printable ASCII characters, or nothing.",
    },
    { name: "disabled", label: "Disabled", kind: "checkbox" },
    { name: "expires_at", label: "Expires", kind: "time", hint: "Empty for never." },
    {
      name: "countries",
      label: "Countries",
      kind: "list",
      options: pools(),
      placeholder: "all",
      group: "Where to",
      hint: "The only ones that the user may use.",
    },
    {
      name: "fallback",
      label: "Fallback",
      kind: "list",
      placeholder: "the pool's",
      group: "Where to",
      hint: "Take over, in this order, where the wanted one has no exit.",
    },
    { name: "limits.bytes_per_day", label: "Bytes a day", kind: "bytes", group: "How much", hint: "Both directions; days of UTC." },
    { name: "limits.bytes_per_month", label: "Bytes a month", kind: "bytes", group: "How much" },
    { name: "limits.bytes_total", label: "Bytes ever", kind: "bytes", group: "How much" },
    { name: "limits.connections", label: "Connections at once", kind: "number", min: 1, placeholder: "no limit", group: "How much" },
    {
      name: "limits.connections_per_second",
      label: "New connections a second",
      kind: "number",
      min: 1,
      placeholder: "no limit",
      group: "How much",
    },
    {
      name: "addresses",
      label: "Addresses",
      kind: "list",
      placeholder: "192.0.2.0/24, 2001:db8::/32",
      group: "Where from",
      hint: "IPv4 and IPv6 networks; empty for everywhere.",
    },
    { name: "address_rule", label: "Wanted is", kind: "select", options: RULES, group: "Where from" },
  ].filter(Boolean);

const pools = () => [...live.store("pools").items.values()].map(({ country }) => country.toLowerCase());
