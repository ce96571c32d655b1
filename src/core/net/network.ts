/** The network around the machines, as decisions read it (spec/fargate.md §6). */

/** Name of the one Network object. */
export const NETWORK = 'cluster';
