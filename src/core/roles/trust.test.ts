import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distrust } from './trust.ts';

const SERVICE = 'eks-fargate-pods.amazonaws.com';
const SOURCE = 'arn:aws:eks:local-1:111122223333:fargateprofile/c/p/0f0e0d0c-0000-4000-8000-000000000001';
const CONTEXT = new Map([
  ['aws:sourcearn', SOURCE],
  ['aws:sourceaccount', '111122223333'],
]);

const ALLOW = { Effect: 'Allow', Principal: { Service: SERVICE }, Action: 'sts:AssumeRole' };
const policy = (...statements: readonly unknown[]) => ({ Version: '2012-10-17', Statement: statements });
const trusts = (document: unknown): boolean => distrust(document, CONTEXT) === undefined;
const when = (condition: unknown) => policy({ ...ALLOW, Condition: condition });
const onSource = (operator: string, value: unknown) => when({ [operator]: { 'aws:SourceArn': value } });

describe('a trust policy', () => {
  it.each<[string, unknown, boolean]>([
    ['of the user guide', onSource('ArnLike', 'arn:aws:eks:local-1:111122223333:fargateprofile/c/*'), true],
    ['without a condition', policy(ALLOW), true],
    ['with one statement and no list', { Statement: ALLOW }, true],
    ['with names and an id', { Id: 'x', ...policy({ Sid: 'a', ...ALLOW }) }, true],
    [
      'for several services',
      policy({ ...ALLOW, Principal: { Service: ['x.amazonaws.com', SERVICE] } }),
      true,
    ],
    ['for another service', policy({ ...ALLOW, Principal: { Service: 'eks.amazonaws.com' } }), false],
    ['for an account', policy({ ...ALLOW, Principal: { AWS: 'arn:aws:iam::111122223333:root' } }), false],
    ['for identities from elsewhere', policy({ ...ALLOW, Principal: { Federated: SERVICE } }), false],
    ['for everybody', policy({ ...ALLOW, Principal: '*' }), true],
    ['for everybody, in the longer form', policy({ ...ALLOW, Principal: { AWS: '*' } }), true],
    ['for the service among others', policy({ ...ALLOW, Principal: { AWS: 'x', Service: SERVICE } }), true],
    ['for nobody', policy({ ...ALLOW, Principal: undefined }), false],
    ['for every service, which IAM does not have', policy({ ...ALLOW, Principal: { Service: '*' } }), false],
    ['with wildcards in the action', policy({ ...ALLOW, Action: ['x:*', 'STS:Assume*'] }), true],
    ['for another action', policy({ ...ALLOW, Action: 'sts:AssumeRoleWithWebIdentity' }), false],
    ['for all but one action', policy({ ...ALLOW, Action: undefined, NotAction: 'sts:TagSession' }), false],
    ['with a resource', policy({ ...ALLOW, Resource: '*' }), false],
    ['that denies it', policy(ALLOW, { ...ALLOW, Effect: 'Deny' }), false],
    ['that denies it to others', policy(ALLOW, { ...ALLOW, Effect: 'Deny', Principal: { AWS: 'x' } }), true],
    [
      'that denies it to others on a condition nobody knows',
      policy(ALLOW, { Effect: 'Deny', Principal: { AWS: 'x' }, Action: '*', Condition: { Odd: { a: 'b' } } }),
      true,
    ],
    [
      'that may deny it on a condition nobody knows',
      policy(ALLOW, { ...ALLOW, Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      false,
    ],
    ['that denies to all but', policy(ALLOW, { Effect: 'Deny', NotPrincipal: '*', Action: '*' }), false],
    ['with another effect', policy({ ...ALLOW, Effect: 'allow' }), false],
    [
      'with an effect that nobody knows beside a good one',
      policy(ALLOW, { ...ALLOW, Effect: 'Maybe' }),
      false,
    ],
    ['of a later language', { Version: '2030-01-01', Statement: [ALLOW] }, false],
    ['without statements', policy(), false],
    ['that is no policy', 'yes', false],
    ['that is empty', {}, false],
  ])('%s', (_, document, expected) => {
    expect(trusts(document)).toBe(expected);
  });
});

describe('a condition', () => {
  const CLUSTER = 'arn:aws:eks:local-1:111122223333:cluster/c';
  const ALL = 'arn:aws:eks:local-1:111122223333:fargateprofile/c/*';
  it.each<[string, unknown, boolean]>([
    ['ArnLike', ALL, true],
    ['ArnEquals', ALL, true],
    ['StringLike', ALL, true],
    ['StringEquals', ALL, false],
    ['StringEquals', SOURCE, true],
    ['StringEqualsIgnoreCase', SOURCE.toUpperCase(), true],
    ['ArnLike', CLUSTER, false],
    ['ArnLike', [CLUSTER, ALL], true],
    ['ArnLike', 'arn:aws:eks:local-1:111122223333:fargateprofile/other/*', false],
    ['ArnLike', 'arn:aws:eks:local-?:*:fargateprofile/c/p/*', true],
    ['ArnLike', 'arn:aws:eks:*:fargateprofile/c/*', false],
    ['StringLike', 'arn:aws:eks:*:fargateprofile/c/*', true],
    ['ArnNotLike', CLUSTER, true],
    ['ArnNotEquals', ALL, false],
    ['StringNotEquals', 'x', true],
    ['StringNotLike', [ALL, 'x'], false],
    ['StringNotEqualsIgnoreCase', SOURCE.toUpperCase(), false],
    ['ArnLikeIfExists', ALL, true],
    ['ArnLikeIfExists', CLUSTER, false],
    ['ArnLike', 'no-arn', false],
    ['ArnNotLike', 'no-arn', false],
    ['StringLike', '${aws:PrincipalTag/x}*', false],
    ['NumericEquals', '5', false],
    ['ForAnyValue:StringLike', ALL, false],
    ['constructor', ALL, false],
    ['StringEquals', 5, false],
    ['StringNotEquals', [], false],
    ['ArnNotLike', [5], false],
  ])('%s %j on the source', (operator, value, expected) => {
    expect(trusts(onSource(operator, value))).toBe(expected);
  });

  it.each<[string, unknown, boolean]>([
    ['the account', { StringEquals: { 'aws:SourceAccount': '111122223333' } }, true],
    ['another account', { StringEquals: { 'aws:SourceAccount': '444455556666' } }, false],
    ['the account, in other letters', { StringEquals: { 'AWS:sourceaccount': '111122223333' } }, true],
    ['a key that nobody knows', { StringEquals: { 'sts:ExternalId': 'x' } }, false],
    [
      'the lack of a key that nobody knows',
      { StringNotEqualsIfExists: { 'aws:PrincipalOrgID': 'x' } },
      false,
    ],
    [
      'source and account',
      { ArnLike: { 'aws:SourceArn': ALL }, StringEquals: { 'aws:SourceAccount': '111122223333' } },
      true,
    ],
    [
      'the source and another account',
      { ArnLike: { 'aws:SourceArn': ALL }, StringEquals: { 'aws:SourceAccount': '444455556666' } },
      false,
    ],
    ['nothing', {}, true],
    ['nothing of an operator', { StringEquals: {} }, false],
    ['nothing of an operator that nobody knows', { Odd: {} }, false],
    ['what is no condition', 'x', false],
  ])('on %s', (_, condition, expected) => {
    expect(trusts(when(condition))).toBe(expected);
  });
});

describe('the reason', () => {
  it.each<[unknown, string]>([
    [5, 'its trust policy is no policy document'],
    [policy(), 'no statement of its trust policy allows it: there is none'],
    [
      policy({ ...ALLOW, Principal: { Service: 'ec2.amazonaws.com' } }),
      'no statement of its trust policy allows it: Principal of statement 1 does not fit',
    ],
    [
      onSource('ArnLike', 'arn:aws:eks:local-1:111122223333:cluster/c'),
      'no statement of its trust policy allows it: Condition ArnLike aws:SourceArn of statement 1 does not fit',
    ],
    [
      policy({
        ...ALLOW,
        Principal: { Service: 'ec2.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': '444455556666', 'sts:ExternalId': 'x' } },
        Resource: '*',
      }),
      'no statement of its trust policy allows it: Principal of statement 1 does not fit, Condition StringEquals aws:SourceAccount of statement 1 does not fit, Condition StringEquals sts:ExternalId of statement 1 is not understood, Resource of statement 1 is not understood',
    ],
    [
      policy({ ...ALLOW, Action: 'x:y' }, { ...ALLOW, Effect: 'Deny' }),
      'statement 2 of its trust policy denies it; no statement of its trust policy allows it: Action of statement 1 does not fit',
    ],
    [
      policy({ ...ALLOW, Action: 'x:y' }, when({ Bool: { 'aws:SecureTransport': 'true' } }).Statement[0]),
      'no statement of its trust policy allows it: Action of statement 1 does not fit, Condition Bool aws:SecureTransport of statement 2 is not understood',
    ],
    [policy(ALLOW, { ...ALLOW, Effect: 'Deny' }), 'statement 2 of its trust policy denies it'],
    [
      policy({ ...ALLOW, Effect: 'Deny', Condition: { Odd: 1 } }),
      'its trust policy may deny it: Condition Odd of statement 1 is not understood; no statement of its trust policy allows it: there is none',
    ],
  ])('of %j', (document, reason) => {
    expect(distrust(document, CONTEXT)).toBe(reason);
  });
});

it('is never given by what has no Allow for the service, whatever it is', () => {
  const names = [
    'Effect',
    'Principal',
    'Action',
    'Condition',
    'Service',
    'AWS',
    'Statement',
    'Version',
    'Sid',
  ];
  const other = fc.string().filter((text) => text !== SERVICE && text !== '*');
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      other,
      fc.constantFrom(null, 5, true, 'Allow', 'sts:AssumeRole', '2012-10-17'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...names), other), tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(fc.property(value, (document) => !trusts(document)));
});

it('is taken away by anything added to a statement that is not known, and by no other order', () => {
  const unknown = fc.oneof(
    fc.record({ NotPrincipal: fc.anything() }),
    fc.record({ NotAction: fc.anything() }),
    fc.record({ Condition: fc.record({ Bool: fc.record({ x: fc.string() }) }) }),
  );
  fc.assert(fc.property(unknown, (more) => !trusts(policy({ ...ALLOW, ...more }))));
  const others = fc.shuffledSubarray([
    { ...ALLOW, Principal: { AWS: 'x' } },
    { ...ALLOW, Action: 'x:y' },
    { ...ALLOW, Effect: 'Deny', Action: 'x:y' },
    ALLOW,
  ]);
  fc.assert(fc.property(others, (list) => trusts(policy(...list)) === list.includes(ALLOW)));
});
