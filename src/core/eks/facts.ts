/** What the EKS API alone knows and `cloister profile` needs: published in a ConfigMap. */
import { SYSTEM_NAMESPACE } from '../names.ts';
import type { ProfileLimits } from '../profile/rules.ts';
import type { Account } from './arn.ts';

/** Where it is published. */
export const EKS_FACTS = { namespace: SYSTEM_NAMESPACE, name: 'eks-facts' } as const;

/** The cluster in the terms of EKS, and how it lets profiles change. */
export interface EksFacts {
  readonly cluster: string;
  readonly account: Account;
  readonly limits: ProfileLimits;
  readonly oneAtATime: boolean;
}

/** The ConfigMap's `data`. */
export const eksFactsData = (facts: EksFacts): Record<string, string> => ({ facts: JSON.stringify(facts) });

/** @returns undefined when there are none: the API was never served */
export const parseEksFacts = (data: Readonly<Record<string, string>> | undefined): EksFacts | undefined =>
  data?.['facts'] === undefined ? undefined : (JSON.parse(data['facts']) as EksFacts);
