/** What a call of `./scripts/check` asks for. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { catalogue, isDisruptive, selectChecks, triesHoles, nonDisruptive } from '../../operations/checks/catalogue';
import type { Check, Expectations } from '../../operations/checks/check';
import { UsageError } from '../../operations/lib/errors';
import { parseCommandLine } from './command-line';

interface Wanted {
  readonly checks: readonly Check[];
  /** Whether these are all that a run has by default: only then its report may replace the last one. */
  readonly complete: boolean;
  readonly json: boolean;
  /** Folder for the report. */
  readonly report?: string;
}

export type CheckCall =
  | { readonly kind: 'help' }
  | { readonly kind: 'list'; readonly checks: readonly Check[]; readonly json: boolean }
  | (Wanted & {
      readonly kind: 'environment';
      /** Absent: EBS_ENVIRONMENT, or `local`. */
      readonly environment?: string;
      readonly disruptive: boolean;
    })
  | (Wanted & {
      readonly kind: 'endpoint';
      readonly endpoint: TlsEndpoint;
      readonly region: string;
      readonly expected: Expectations;
      readonly tryKnownHoles: boolean;
    });

/** @throws UsageError if the call makes no sense */
export function parseCheckCall(args: string[], env: NodeJS.ProcessEnv): CheckCall {
  const { values, positionals } = parseCommandLine('check', args, {
    only: { type: 'string', multiple: true },
    disruptive: { type: 'boolean', default: false },
    report: { type: 'string' },
    endpoint: { type: 'string' },
    ca: { type: 'string' },
    region: { type: 'string' },
    'default-key': { type: 'string' },
    key: { type: 'string', multiple: true },
    'auto-encryption': { type: 'string' },
    'try-known-holes': { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  });
  if (values.help) return { kind: 'help' };
  const ids = values.only?.flatMap((list) => list.split(',')).filter((id) => id !== '');
  const named = ids === undefined ? undefined : selectChecks(ids);
  if (values.list) return { kind: 'list', checks: named ?? catalogue, json: values.json };

  const wanted = {
    complete: named === undefined,
    json: values.json,
    ...(values.report === undefined ? {} : { report: path.resolve(values.report) }),
  };
  const [environment] = positionals;
  if (values.endpoint === undefined) {
    for (const option of ['ca', 'region', 'default-key', 'key', 'auto-encryption'] as const) {
      if (values[option] !== undefined) throw refusal(`--${option} is for --endpoint; an environment file says it`);
    }
    if (values['try-known-holes']) throw refusal('--try-known-holes is for --endpoint; an environment is always tried');
    if (!values.disruptive) requireNone(named, isDisruptive, 'interrupts service; add --disruptive if it may');
    return {
      ...{ kind: 'environment', ...wanted, disruptive: values.disruptive },
      checks: named ?? (values.disruptive ? catalogue : nonDisruptive),
      ...(environment === undefined ? {} : { environment }),
    };
  }
  if (environment !== undefined) throw refusal(`--endpoint takes no environment, got: ${environment}`);
  if (values.disruptive) throw refusal('--disruptive needs an environment: from outside nothing can be restored');
  requireNone(named, ({ from }) => from !== 'outside', 'looks at the deployment itself, which --endpoint cannot');
  const tryKnownHoles = values['try-known-holes'];
  if (!tryKnownHoles)
    requireNone(named, triesHoles, 'sends what the server must refuse; add --try-known-holes if it may');
  const defaultKey = values['default-key'];
  const autoEncryption = onOrOff(values['auto-encryption']);
  return {
    ...{ kind: 'endpoint', ...wanted, checks: named ?? catalogue, tryKnownHoles },
    endpoint: {
      url: endpointUrl(values.endpoint),
      ...(values.ca === undefined ? {} : { caFile: certificateFile(values.ca) }),
    },
    region: values.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? 'us-east-1',
    expected: {
      ...(defaultKey === undefined ? {} : { defaultKey }),
      masterKeys: [...new Set([...(defaultKey === undefined ? [] : [defaultKey]), ...(values.key ?? [])])],
      ...(autoEncryption === undefined ? {} : { autoEncryption }),
    },
  };
}

function refusal(message: string): UsageError {
  return new UsageError(message, 'See ./scripts/check --help.');
}

function requireNone(named: readonly Check[] | undefined, unwanted: (check: Check) => boolean, why: string): void {
  const found = named?.find(unwanted);
  if (found !== undefined) throw refusal(`--only ${found.id}: ${why}`);
}

/** A URL of a server and nothing more: whatever else it holds would be ignored, or be a secret. */
function endpointUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const more = url !== undefined && (url.username !== '' || url.pathname !== '/' || url.search !== '');
  if (url?.protocol !== 'https:' || more) {
    throw refusal('--endpoint must be https:// with a host and a port, and nothing else; nothing is sent in the clear');
  }
  return url.origin;
}

function certificateFile(file: string): string {
  try {
    if (/-----BEGIN (?:TRUSTED )?CERTIFICATE-----/.test(readFileSync(file, 'utf8'))) return path.resolve(file);
  } catch (error) {
    throw refusal(`--ca ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  throw refusal(`--ca must be a file with certificates in PEM, got: ${file}`);
}

function onOrOff(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text !== 'on' && text !== 'off') throw refusal(`--auto-encryption must be on or off, got: ${text}`);
  return text === 'on';
}
