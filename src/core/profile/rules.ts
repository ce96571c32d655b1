/**
 * What a Fargate profile must be like, whichever door it comes through: the validating webhook and the EKS API
 * ask here, in the order of spec/fargate.md §1.3, with its texts.
 */
import {
  type Places,
  profileText,
  regionAllowed,
  type SubnetLike,
  subnetProblem,
} from '../placement/subnets.ts';

/** Limits of spec/fargate.md §1.4. */
export interface ProfileLimits {
  /** Profiles per cluster. */
  readonly profiles: number;
  /** Selectors per profile. */
  readonly selectors: number;
  /** Label pairs per selector. */
  readonly labels: number;
}

export const LIMITS: ProfileLimits = { profiles: 10, selectors: 5, labels: 5 };

/** A selector as a request carries it, unchecked. */
export interface RawSelector {
  readonly namespace?: string | null | undefined;
  readonly labels?: Readonly<Record<string, string>> | null | undefined;
}

/** Gives the first rule that a value breaks, as a sentence. */
type Check = string | undefined;

/** Names become Kubernetes object names and label values, which is narrower than what the original takes. */
export const checkName = (name: string): Check => {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name))
    return `fargateProfileName ${JSON.stringify(name)} cannot be used: it has 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or digit`;
  return name.startsWith('eks-')
    ? `fargateProfileName ${name} cannot be used: names that start with eks- are reserved`
    : undefined;
};

const checkLabels = (labels: Readonly<Record<string, string>>, limit: number): Check => {
  const pairs = Object.entries(labels);
  if (pairs.length > limit) return `Request contains Selector with more than ${limit} Label pairs`;
  const fits = ([key, value]: readonly [string, string]): boolean =>
    key.length >= 1 && key.length <= 127 && value.length >= 1 && value.length <= 255;
  return pairs.every(fits) ? undefined : 'Selector label keys have 1 to 127 characters and values 1 to 255';
};

/** Every selector is checked: one good one does not excuse another. */
export const checkSelectors = (
  selectors: readonly RawSelector[] | null | undefined,
  limits: ProfileLimits = LIMITS,
): Check => {
  if (!selectors || selectors.length === 0) return 'Fargate Profile requires at least one selector.';
  if (selectors.some(({ namespace }) => !namespace))
    return 'Fargate Profile must have at least one selector with at least one namespace value.';
  if (selectors.some(({ namespace }) => (namespace ?? '').length > 255))
    return 'Selector namespaces have at most 255 characters';
  const labels = selectors.map((selector) => checkLabels(selector.labels ?? {}, limits.labels));
  const wrong = labels.find((check) => check !== undefined);
  if (wrong !== undefined) return wrong;
  return selectors.length > limits.selectors
    ? `Fargate Profile has more than ${limits.selectors} selectors`
    : undefined;
};

/** The first problem of the subnets that a profile names, and of the region that they are in. */
export const checkSubnets = (
  named: readonly string[] | null | undefined,
  all: readonly SubnetLike[],
  region: string,
  places: Places = {},
): Check => {
  if (!regionAllowed(region, places))
    return `Fargate Profile creation in the Region ${region} is not supported`;
  const byName = new Map(all.map((subnet) => [subnet.metadata.name, subnet]));
  for (const name of named ?? []) {
    const problem = subnetProblem(name, byName.get(name), places);
    if (problem !== undefined) return profileText(problem);
  }
  return undefined;
};

/**
 * The same for a profile that is changed. Subnets that stay as they were are not judged again: it must be possible to
 * change a profile after they are gone.
 */
export const checkChangedSubnets = (
  named: readonly string[] = [],
  before: readonly string[] = [],
  ...judges: readonly [all: readonly SubnetLike[], region: string, places?: Places]
): Check =>
  named.length === before.length && named.every((name, index) => name === before[index])
    ? undefined
    : checkSubnets(named, ...judges);

/** Most tags on one resource. */
const MOST_TAGS = 50;

/** Tags of a resource (spec/fargate.md §1.4). */
export const checkTags = (tags: Readonly<Record<string, string>> | null | undefined): Check => {
  const pairs = Object.entries(tags ?? {});
  if (pairs.length > MOST_TAGS) return `A resource can have up to ${MOST_TAGS} tags, and not ${pairs.length}`;
  for (const [key, value] of pairs) {
    if (key.length < 1 || key.length > 128) return `Tag keys have 1 to 128 characters, and not ${key.length}`;
    if (value.length > 256) return `Tag values have up to 256 characters, and not ${value.length}`;
    if (/^aws:/i.test(key)) return `Tag key ${key} cannot be used: keys that begin with aws: are reserved`;
  }
  return undefined;
};

/** Whether one more profile fits. @param count profiles that the cluster has */
export const checkCount = (count: number, limits: ProfileLimits = LIMITS): Check =>
  count >= limits.profiles
    ? `The cluster has ${count} Fargate profiles, and ${limits.profiles} is the limit. Delete one, or raise the limit.`
    : undefined;
