/** What a firewall was made from, so that a change recalculates those firewalls only that it can touch. */
import type { World } from './world.ts';

/** Names of questions: equal for the one who asked and for the change that gives another answer. */
export const need = {
  /** The Network: which group is the default, and what nodes may do. */
  network: 'network',
  /** A group's rules or members. */
  group: (name: string) => `group/${name}`,
  prefixList: (name: string) => `prefix-list/${name}`,
  policies: (namespace: string) => `policies/${namespace}`,
  /** Which namespaces there are, and their labels. */
  namespaces: 'namespaces',
  /** Addresses, labels and ports of any pod of a namespace. */
  pods: (namespace: string) => `pods/${namespace}`,
  pod: (namespace: string, name: string) => `pod/${namespace}/${name}`,
} as const;

/** A world that remembers what it was asked. */
export const attentive = (world: World): { readonly world: World; readonly needs: ReadonlySet<string> } => {
  const needs = new Set<string>();
  const asked = (key: string): void => {
    needs.add(key);
  };
  return {
    needs,
    world: {
      network: () => (asked(need.network), world.network()),
      group: (name) => (asked(need.group(name)), world.group(name)),
      members: (name) => (asked(need.group(name)), world.members(name)),
      prefixList: (name) => (asked(need.prefixList(name)), world.prefixList(name)),
      policies: (namespace) => (asked(need.policies(namespace)), world.policies(namespace)),
      namespaces: () => (asked(need.namespaces), world.namespaces()),
      pods: (namespace) => (asked(need.pods(namespace)), world.pods(namespace)),
      pod: (namespace, name) => (asked(need.pod(namespace, name)), world.pod(namespace, name)),
    },
  };
};
