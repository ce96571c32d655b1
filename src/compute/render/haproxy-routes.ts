/** Rules of HTTP listeners as HAProxy's configuration has them (HAProxy 2.6 "Configuration Manual", 7 and 4.2). Pure. */
import { respond } from '../../core/balancing/actions.ts';
import type {
  Action,
  Condition,
  Forward,
  HostMatch,
  Listener,
  PathMatch,
  Redirect,
  Respond,
  Route,
  Routes,
} from '../../core/balancing/model.ts';
import { tenHex } from '../../core/hash.ts';

/** Quotes a word, so that nothing in it means anything (Configuration Manual 2.2). */
export const word = (text: string): string =>
  `'${text
    .replaceAll("'", `'\\''`)
    .replaceAll('\n', `'\\n'`)
    .replaceAll('\r', `'\\r'`)
    .replaceAll('\t', `'\\t'`)}'`;

const inRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * A pattern of the original: `*` for any of the characters, `?` for exactly one. What stands between two stars is looked
 * for once and never again (`(?>` of PCRE): the first place is as good as any, and a pattern of many stars could
 * otherwise hold HAProxy, which is one for everybody, for as long as whoever wrote it likes.
 */
const wild = (pattern: string, any = '.'): string => {
  const [first = '', ...rest] = pattern.split(/\*+/).map((part) => inRegex(part).replaceAll('\\?', any));
  const last = rest.pop();
  if (last === undefined) return first;
  return `${first}${rest.map((part) => `(?>${any}*?${part})`).join('')}${any}*${last}`;
};

const HOST = 'req.hdr(host),field(1,:),lower';

const hostTest = ({ kind, host }: HostMatch): string => {
  const name = host.toLowerCase();
  if (kind === 'exact') return `${HOST} -m str -- ${word(name)}`;
  const regex = kind === 'label' ? `^[^.]+${inRegex(name.slice(1))}$` : `^${wild(name)}$`;
  return `${HOST} -m reg -- ${word(regex)}`;
};

const pathTests = ({ kind, path }: PathMatch): readonly string[] => {
  if (kind === 'exact') return [`path -m str -- ${word(path)}`];
  if (kind === 'pattern') return [`path -m reg -- ${word(`^${wild(path)}$`)}`];
  if (path === '/') return ['path -m beg -- /'];
  return [`path -m str -- ${word(path)}`, `path -m beg -- ${word(`${path}/`)}`];
};

/** The original compares headers and queries without regard to case. */
const conditionTests = (condition: Condition): readonly string[] => {
  switch (condition.kind) {
    case 'header':
      return condition.patterns.map(
        (pattern) => `req.fhdr(${condition.name}) -m reg -i -- ${word(`^${wild(pattern)}$`)}`,
      );
    case 'method':
      return condition.methods.map((method) => `method -m str -- ${word(method)}`);
    case 'query':
      return condition.pairs.map(({ key, value }) => {
        const name = key === undefined ? '([^&=]*=)?' : `${wild(key, '[^&=]')}=`;
        return `query -m reg -i -- ${word(`(^|&)${name}${wild(value, '[^&]')}(&|$)`)}`;
      });
    case 'source':
      return condition.ranges.map((range) => `src ${word(range)}`);
  }
};

/** Tests of a route by their names: of one name any will do, and all names have to. */
const testsOf = (
  { hosts, paths, conditions }: Route,
  number: number,
): readonly (readonly [string, string])[] => [
  ...hosts.map((one) => [`host${number}`, hostTest(one)] as const),
  ...paths.flatMap(pathTests).map((test) => [`path${number}`, test] as const),
  ...conditions.flatMap((one, index) =>
    conditionTests(one).map((test) => [`condition${number}-${index}`, test] as const),
  ),
];

/** A number that each request draws, for pools that have shares. */
const DRAWS = 1_000_000;
const DRAWN = 'var(txn.drawn)';

/** Backend of an action that answers by itself. */
const answerName = (action: Respond | Redirect): string => `answer:${tenHex(JSON.stringify(action))}`;

/** What is answered for a backend whose Service does not exist. */
const NOWHERE = respond(503, 'Backend service does not exist');

/** Backends by what is drawn: each up to a bound, and the last for all that is left. */
const sharesOf = ({ to }: Forward): readonly { readonly backend: string; readonly below: number }[] => {
  const sum = to.reduce((all, { share }) => all + share, 0);
  let reached = 0;
  return to
    .filter(({ share }) => share > 0)
    .map(({ pool, share }) => {
      reached += share;
      return { backend: pool ?? answerName(NOWHERE), below: Math.round((reached / sum) * DRAWS) };
    });
};

const useLines = (action: Action, tests: string): readonly string[] => {
  const use = (backend: string, condition: string): string =>
    `    use_backend ${backend}${condition === '' ? '' : ` if ${condition}`}`;
  if (action.kind !== 'forward') return [use(answerName(action), tests)];
  return sharesOf(action).map(({ backend, below }) =>
    use(backend, [tests, below < DRAWS ? `{ ${DRAWN} -m int lt ${below} }` : ''].filter(Boolean).join(' ')),
  );
};

const isShared = (action: Action): boolean => action.kind === 'forward' && sharesOf(action).length > 1;

const actionsOf = ({ routes, otherwise }: Routes): readonly Action[] => [
  ...routes.map(({ action }) => action),
  otherwise,
];

/** The rules of a listener, in their order; the last line takes what is left. */
export const routeLines = (rules: Routes): readonly string[] => {
  const tests = rules.routes.map(testsOf);
  return [
    ...(actionsOf(rules).some(isShared) ? [`    http-request set-var(txn.drawn) rand(${DRAWS})`] : []),
    ...tests.flat().map(([name, test]) => `    acl ${name} ${test}`),
    ...rules.routes.flatMap(({ action }, index) => {
      const names = new Set(tests[index]?.map(([name]) => name));
      return useLines(action, [...names].join(' '));
    }),
    ...useLines(rules.otherwise, ''),
  ];
};

/** Text with the placeholders of the original as a format of HAProxy's (Configuration Manual 8.2.4). */
const inFormat = (text: string): string =>
  text
    .replaceAll('%', '%%')
    .replaceAll('#{host}', '%[req.hdr(host),field(1,:)]')
    .replaceAll('/#{path}', '%[path]')
    .replaceAll('#{path}', '%[path,bytes(1)]')
    .replaceAll('#{query}', '%[query]');

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** A question mark goes where a query is: one that stays as it is may be none. */
const redirectLines = ({ status, scheme, host, port, path, query }: Redirect): readonly string[] => {
  const place = port === DEFAULT_PORTS[scheme] ? host : `${host}:${port}`;
  const plain = inFormat(`${scheme}://${place}${path}`);
  const redirect = (location: string): string =>
    `    http-request redirect code ${status} location ${word(location)}`;
  if (query === '') return [redirect(plain)];
  const asked = redirect(`${plain}?${inFormat(query)}`);
  return query === '#{query}' ? [`${asked} if { query -m reg . }`, redirect(plain)] : [asked];
};

const respondLine = ({ status, contentType, body }: Respond): string =>
  `    http-request return status ${status}${body === '' ? '' : ` content-type ${contentType} string ${word(body)}`}`;

const answersIn = (listener: Listener): readonly (Respond | Redirect)[] =>
  listener.kind === 'tcp'
    ? []
    : actionsOf(listener).flatMap((action) => {
        if (action.kind !== 'forward') return action;
        return action.to.some(({ pool }) => pool === undefined) ? NOWHERE : [];
      });

/** The backends of all actions that answer by themselves, each once. */
export const answerLines = (listeners: readonly Listener[]): readonly string[] => {
  const answers = new Map(listeners.flatMap(answersIn).map((action) => [answerName(action), action]));
  return [...answers].flatMap(([name, action]) => [
    '',
    `backend ${name}`,
    '    mode http',
    ...(action.kind === 'respond' ? [respondLine(action)] : redirectLines(action)),
  ]);
};
