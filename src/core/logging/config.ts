/**
 * Whether the configuration of the log router is one that the original takes (spec/fargate.md §10.1): three keys
 * in the classic format of Fluent Bit, of which only some sections and plug-ins are allowed.
 */

/** What is wrong with a configuration, as a sentence without a full stop; undefined when nothing is. */
type Problem = string | undefined;

interface Section {
  /** Upper case, without brackets. */
  readonly kind: string;
  /** Pairs in their order; keys in lower case, as they count. */
  readonly pairs: readonly { readonly key: string; readonly value: string }[];
}

/** Most characters of the whole configuration. */
const MOST_CHARACTERS = 5300;

interface Rule {
  readonly kind: string;
  readonly required: readonly string[];
  /** Undefined where any plug-in is allowed: parsers have names of their own. */
  readonly plugins?: { readonly what: string; readonly allowed: readonly string[] };
}

/** The section that each key holds. */
const RULES: Readonly<Record<string, Rule>> = {
  'filters.conf': {
    kind: 'FILTER',
    required: ['Name', 'Match'],
    plugins: {
      what: 'filter',
      allowed: [
        'grep',
        'parser',
        'record_modifier',
        'rewrite_tag',
        'throttle',
        'nest',
        'modify',
        'kubernetes',
      ],
    },
  },
  'output.conf': {
    kind: 'OUTPUT',
    required: ['Name', 'Match'],
    plugins: {
      what: 'output',
      allowed: ['es', 'firehose', 'kinesis_firehose', 'cloudwatch', 'cloudwatch_logs', 'kinesis'],
    },
  },
  'parsers.conf': { kind: 'PARSER', required: ['Name', 'Format'] },
};

/** What the router itself knows about the cluster. */
const MANAGED_KEYS = ['kube_url', 'kube_ca_file', 'kube_token_command', 'kube_token_file'];

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** Sections of one key, or what keeps them from being read. */
const parse = (key: string, text: string): readonly Section[] | string => {
  const sections: { kind: string; pairs: { key: string; value: string }[] }[] = [];
  const indents: { header?: number; pair?: number } = {};
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const header = /^\s*\[([^\]]*)\]\s*$/.exec(line)?.[1];
    const what = header === undefined ? 'pair' : 'header';
    indents[what] ??= indentOf(line);
    if (indents[what] !== indentOf(line)) return `${key} is not indented consistently: ${line.trim()}`;
    if (header !== undefined) {
      sections.push({ kind: header.toUpperCase(), pairs: [] });
      continue;
    }
    const section = sections.at(-1);
    if (section === undefined) return `${key} does not begin with a section: ${line.trim()}`;
    if (indentOf(line) <= (indents.header ?? 0))
      return `${key} must indent keys deeper than their section: ${line.trim()}`;
    const [, name = '', value = ''] = /^(\S+)\s*(.*)$/.exec(line.trim()) ?? [];
    section.pairs.push({ key: name.toLowerCase(), value });
  }
  return sections;
};

const valueOf = ({ pairs }: Section, key: string): string | undefined =>
  pairs.find((pair) => pair.key === key.toLowerCase())?.value;

const problemOfSection = (section: Section, key: string, { kind, required, plugins }: Rule): Problem => {
  if (section.kind !== kind) return `${section.kind} is not a supported section of ${key}`;
  const missing = required.find((name) => !valueOf(section, name));
  if (missing !== undefined) return `${kind} of ${key} has no ${missing}`;
  const name = (valueOf(section, 'Name') ?? '').toLowerCase();
  if (plugins !== undefined && !plugins.allowed.includes(name))
    return `${valueOf(section, 'Name')} is not a supported ${plugins.what} plugin`;
  const managed = section.pairs.find((pair) => MANAGED_KEYS.includes(pair.key));
  return kind === 'FILTER' && name === 'kubernetes' && managed
    ? `${managed.key} must not be given to the kubernetes filter`
    : undefined;
};

const problemOfKey = (key: string, text: string, rule: Rule): Problem => {
  const variable = /\$\{[^}]*\}/.exec(text)?.[0];
  if (variable !== undefined) return `${key} uses the variable ${variable}, and variables are not supported`;
  const sections = parse(key, text);
  if (typeof sections === 'string') return sections;
  for (const section of sections) {
    const problem = problemOfSection(section, key, rule);
    if (problem !== undefined) return problem;
  }
  return undefined;
};

/**
 * The first problem of a configuration, in the order of its keys. The text on plug-ins is the original's; the
 * others are not known in public and are ours.
 * @param data of the ConfigMap
 */
export const configProblem = (data: Readonly<Record<string, string>> = {}): Problem => {
  const length = Object.values(data).reduce((sum, text) => sum + text.length, 0);
  if (length > MOST_CHARACTERS)
    return `The configuration has ${length} characters, and ${MOST_CHARACTERS} is the limit`;
  if ((data['output.conf'] ?? '').trim() === '') return 'output.conf must have at least one OUTPUT';
  for (const [key, rule] of Object.entries(RULES)) {
    const problem = problemOfKey(key, data[key] ?? '', rule);
    if (problem !== undefined) return problem;
  }
  const flag = data['flb_log_cw'];
  if (flag !== undefined && !['true', 'false'].includes(flag)) return 'flb_log_cw must be "true" or "false"';
  return undefined;
};
