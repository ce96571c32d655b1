import { describe, expect, it } from 'vitest';
import { configProblem } from './config.ts';
import { loggingOutcome } from './outcome.ts';

const OUTPUT = '[OUTPUT]\n    Name cloudwatch_logs\n    Match *\n    region eu-west-1\n';
const FILTER = '[FILTER]\n    Name parser\n    Match *\n    Key_name log\n    Parser crio\n';
const PARSER = '[PARSER]\n    Name crio\n    Format Regex\n    Regex ^(?<time>[^ ]+) (?<log>.*)$\n';

const judge = (data: Record<string, string>) => configProblem({ 'output.conf': OUTPUT, ...data });
const output = (...lines: string[]) => judge({ 'output.conf': lines.join('\n') });
const filter = (...lines: string[]) => judge({ 'filters.conf': lines.join('\n') });

describe('the configuration of the log router (spec §10.1)', () => {
  it.each<[string, string | undefined, string | undefined]>([
    ['one output', judge({}), undefined],
    ['all keys', judge({ 'filters.conf': FILTER, 'parsers.conf': PARSER, flb_log_cw: 'true' }), undefined],
    ['several sections', judge({ 'output.conf': `# both\n\n${OUTPUT}\n${OUTPUT}` }), undefined],
    ['keys in any case', output('[output]', '  name ES', '  MATCH *'), undefined],
    ['tabs', output('[OUTPUT]', '\tName kinesis', '\tMatch *'), undefined],
    ['indented sections', output('  [OUTPUT]', '    Name firehose', '    Match *'), undefined],
    ['no output', judge({ 'output.conf': ' \n' }), 'output.conf must have at least one OUTPUT'],
    [
      'another output',
      output('[OUTPUT]', '    Name amazon_data_firehose', '    Match *'),
      'amazon_data_firehose is not a supported output plugin',
    ],
    [
      'another filter',
      filter('[FILTER]', '    Name lua', '    Match *'),
      'lua is not a supported filter plugin',
    ],
    ['a service', output('[SERVICE]', '    Flush 1'), 'SERVICE is not a supported section of output.conf'],
    ['an input', filter('[INPUT]', '    Name tail'), 'INPUT is not a supported section of filters.conf'],
    ['an output among filters', filter(OUTPUT), 'OUTPUT is not a supported section of filters.conf'],
    ['no name', output('[OUTPUT]', '    Match *'), 'OUTPUT of output.conf has no Name'],
    ['no match', filter('[FILTER]', '    Name grep'), 'FILTER of filters.conf has no Match'],
    [
      'no format',
      judge({ 'parsers.conf': '[PARSER]\n    Name crio' }),
      'PARSER of parsers.conf has no Format',
    ],
    [
      'a variable',
      output('[OUTPUT]', '    Name es', '    Match *', '    Host ${HOST}'),
      'output.conf uses the variable ${HOST}, and variables are not supported',
    ],
    [
      'uneven indentation',
      output('[OUTPUT]', '    Name es', '  Match *'),
      'output.conf is not indented consistently: Match *',
    ],
    [
      'no indentation',
      output('[OUTPUT]', 'Name es', 'Match *'),
      'output.conf must indent keys deeper than their section: Name es',
    ],
    ['no section', output('    Name es'), 'output.conf does not begin with a section: Name es'],
    ...['Kube_URL', 'Kube_CA_File', 'Kube_Token_Command', 'Kube_Token_File'].map(
      (key): [string, string | undefined, string] => [
        key,
        filter('[FILTER]', '    Name kubernetes', '    Match kube.*', `    ${key} x`),
        `${key.toLowerCase()} must not be given to the kubernetes filter`,
      ],
    ),
    [
      'too much',
      judge({ 'parsers.conf': 'x'.repeat(5300) }),
      `The configuration has ${5300 + OUTPUT.length} characters, and 5300 is the limit`,
    ],
    ['another flag', judge({ flb_log_cw: 'yes' }), 'flb_log_cw must be "true" or "false"'],
  ])('%s', (_, problem, expected) => {
    expect(problem).toBe(expected);
  });

  it('every plug-in of the original is allowed', () => {
    for (const name of ['es', 'firehose', 'kinesis_firehose', 'cloudwatch', 'cloudwatch_logs', 'kinesis'])
      expect(output('[OUTPUT]', ` Name ${name}`, ' Match *')).toBeUndefined();
    const filters = 'grep parser record_modifier rewrite_tag throttle nest modify kubernetes';
    for (const name of filters.split(' '))
      expect(filter('[FILTER]', ` Name ${name}`, ' Match *')).toBeUndefined();
  });
});

describe('what becomes of the logs of a pod', () => {
  const enabled = { metadata: { labels: { 'aws-observability': 'enabled' } } };
  const outcome = (
    namespace: typeof enabled | { metadata: object } | undefined,
    data?: Record<string, string>,
  ) => loggingOutcome({ namespace, config: data && { data } });
  const NOT_FOUND = 'LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND';

  it('without a configuration, or without the label of its namespace', () => {
    expect(outcome(undefined).annotation).toBe(NOT_FOUND);
    expect(outcome(enabled)).toEqual({
      annotation: NOT_FOUND,
      event: {
        type: 'Warning',
        reason: 'LoggingDisabled',
        message:
          'Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found',
      },
    });
    expect(outcome({ metadata: {} }, { 'output.conf': OUTPUT }).annotation).toBe(NOT_FOUND);
  });

  it('with one that is wrong', () => {
    const wrong = { 'output.conf': '[OUTPUT]\n  Name amazon_data_firehose\n  Match *' };
    expect(outcome(enabled, wrong)).toEqual({
      annotation: 'LoggingDisabled: LOGGING_CONFIGMAP_INVALID',
      event: {
        type: 'Warning',
        reason: 'LoggingDisabled',
        message:
          'Disabled logging for pod due to invalid configmap. amazon_data_firehose is not a supported output plugin. Please fix the logging configmap',
      },
    });
  });

  it('with one that is right: they are not routed yet, and nothing says that they are', () => {
    expect(outcome(enabled, { 'output.conf': OUTPUT }).annotation).toBe('LoggingDisabled: NOT_SUPPORTED');
  });
});
