/**
 * What becomes of a machine next, from what is true of it now. The lifecycle looks, asks here, and acts.
 *
 * A machine lives exactly as long as its pod object (spec/fargate.md §11.1). Until its kubelet has joined,
 * nothing of the pod ran in it, so a machine that dies or takes too long is made again under the same Node.
 * Once it has joined, its death is the pod's failure: a bound pod cannot move. One that is not bound can: it is
 * placed anew when its machine is deleted, or when another machine holds the address.
 */

/** What was seen of one machine. */
export interface Sight {
  /** Nothing made yet, made and not started, alive, or ended with a reason. */
  readonly machine: 'absent' | 'prepared' | 'running' | 'dead';
  /** Why it ended; only for a dead machine. */
  readonly reason?: string;
  /** Milliseconds since the virtual machine started; 0 when it does not run. */
  readonly ageMs: number;
  /** Whether its kubelet has ever reported, by the boot id in the Node's status. */
  readonly joined: boolean;
  /** The Node object: ours, missing, being deleted by somebody, or of another machine that has the address. */
  readonly node: 'present' | 'absent' | 'leaving' | 'taken';
  /** Somebody deletes the MicroVM object. */
  readonly leaving: boolean;
  /** The pod that the machine was made for; undefined when its object is gone. */
  readonly pod?: {
    /** `here` once it is bound to this machine's Node, `elsewhere` when bound to another. */
    readonly bound: 'no' | 'here' | 'elsewhere';
    readonly leaving: boolean;
    readonly ended: boolean;
  };
}

/** The one next thing to do. */
export type Fate =
  /** Go through the stages; the ordinary case, also for an ended pod: its Node stays, and must stay valid. */
  | { readonly next: 'advance' }
  /** The kubelet ends the pod, which may take hours (`terminationGracePeriodSeconds`): its Node must stay valid. */
  | { readonly next: 'keep' }
  /** Nothing until something changes: the machine of an ended pod is dead. */
  | { readonly next: 'rest' }
  /** The pod is gone, or is to be placed anew: take everything away. */
  | { readonly next: 'reclaim' }
  /** Somebody deleted the Node or the MicroVM under a bound pod: it goes first, with its grace period. */
  | { readonly next: 'delete-pod'; readonly deleted: 'Node' | 'MicroVM' }
  /** The pod is being deleted and no kubelet will ever confirm it. */
  | { readonly next: 'release-pod' }
  /** The machine died under a running pod. */
  | { readonly next: 'fail-pod'; readonly reason: string }
  /** The machine died or stalled before its kubelet joined. */
  | { readonly next: 'restart'; readonly reason: string };

/**
 * Decides a machine's fate.
 * @param joinLimitMs how long a virtual machine may take from its start until its kubelet reports
 */
export const fateOf = (sight: Sight, joinLimitMs: number): Fate => {
  const { pod } = sight;
  if (pod === undefined || pod.bound === 'elsewhere') return { next: 'reclaim' };
  if (pod.bound === 'no' && (sight.leaving || sight.node === 'taken')) return { next: 'reclaim' };

  const dead = sight.machine === 'dead';
  const vanished = sight.machine === 'absent' && sight.joined;
  if (pod.leaving) return dead || vanished || !sight.joined ? { next: 'release-pod' } : { next: 'keep' };

  if (sight.leaving) return { next: 'delete-pod', deleted: 'MicroVM' };
  if (pod.bound === 'here' && sight.node !== 'present') return { next: 'delete-pod', deleted: 'Node' };

  if (pod.ended && (sight.machine !== 'running' || !sight.joined)) return { next: 'rest' };
  if (sight.joined) {
    if (dead) return { next: 'fail-pod', reason: sight.reason ?? 'the virtual machine ended' };
    if (vanished) return { next: 'fail-pod', reason: 'nothing is left of its virtual machine on the host' };
    return { next: 'advance' };
  }
  if (dead) return { next: 'restart', reason: sight.reason ?? 'the virtual machine ended' };
  if (sight.machine === 'running' && sight.ageMs > joinLimitMs) {
    return { next: 'restart', reason: `its kubelet did not report within ${joinLimitMs / 1000} s` };
  }
  return { next: 'advance' };
};
