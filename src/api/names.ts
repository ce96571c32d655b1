/** Names of labels, annotations, webhooks and users for everybody outside `core`, which defines them. */
export * from '../core/names.ts';
