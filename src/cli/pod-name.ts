/** Pods as commands are told of them. */

/** The name in `pod/NAME`. @throws Error when the text names no pod */
export const podName = (target: string): string => {
  const name = /^(?:pods?|po)\/(.+)$/.exec(target)?.[1] ?? target;
  if (name.includes('/') || name === '') throw new Error(`${target} names no pod: write pod/NAME`);
  return name;
};

/** What to say when there is no such pod. */
export const noPod = (namespace: string, name: string): string =>
  `there is no pod ${name} in namespace ${namespace}`;
