/** How profiles are printed: tables for people, JSON and YAML in the shapes of the API. */
import { dump } from 'js-yaml';
import type { ProfileDescription } from '../eks/schemas.ts';
import { field, table } from './output.ts';

const FORMATS = ['table', 'json', 'yaml'] as const;

export type ProfileFormat = (typeof FORMATS)[number];

/** @throws Error that lists the formats */
export const profileFormat = (text: string): ProfileFormat => {
  const format = FORMATS.find((one) => one === text);
  if (format === undefined) throw new Error(`no output format ${text}: write ${FORMATS.join(', ')}`);
  return format;
};

const selectorText = ({ namespace, labels }: ProfileDescription['selectors'][number]): string =>
  labels === undefined
    ? namespace
    : `${namespace}:${Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(',')}`;

const details = (profile: ProfileDescription): string =>
  [
    `${profile.fargateProfileName}: ${profile.status}\n`,
    field('selectors', ...profile.selectors.map(selectorText)),
    field('subnets', ...profile.subnets),
    field('role', profile.podExecutionRoleArn ?? 'none'),
    field('created', new Date(profile.createdAt * 1000).toISOString()),
    field('arn', profile.fargateProfileArn),
    ...Object.entries(profile.tags).map(([key, value], i) => field(i === 0 ? 'tags' : '', `${key}=${value}`)),
    ...profile.health.issues.map(({ code, message }) => field('problem', `${code}: ${message}`)),
  ].join('');

const data = (value: object, format: 'json' | 'yaml'): string =>
  format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : dump(value, { noRefs: true });

/** One profile. */
export const printed = (profile: ProfileDescription, format: ProfileFormat): string =>
  format === 'table' ? details(profile) : data({ fargateProfile: profile }, format);

/** All profiles. */
export const listingOf = (profiles: readonly ProfileDescription[], format: ProfileFormat): string => {
  if (format !== 'table') return data({ fargateProfiles: profiles }, format);
  if (profiles.length === 0) return 'there are no profiles\n';
  return table([
    ['NAME', 'STATUS', 'SELECTORS', 'SUBNETS'],
    ...profiles.map(({ fargateProfileName, status, selectors, subnets }) => [
      fargateProfileName,
      status,
      selectors.map(selectorText).join(' '),
      subnets.join(','),
    ]),
  ]);
};
