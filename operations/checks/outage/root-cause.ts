/** Finds what is away before anything else is checked, so that one cause is said once and nothing is advised in vain. */
import {
  type Check,
  type Evidence,
  type Service,
  type ServiceCheck,
  type ServiceContext,
  ServiceDown,
  SERVICES,
  type VaultCheck,
} from '../check';
import { bindService, type BoundCheck, type CheckResult, runAll, type RunOptions } from '../runner';

/** A service that is away, and the check that says so. */
export interface RootCause {
  readonly service: Service;
  readonly id: string;
}

/** Whether a check is one of those that run before all others. */
export function isFirst(check: Check): check is ServiceCheck | VaultCheck {
  return isOfServices(check) && check.first === true;
}

function isOfServices(check: Check): check is ServiceCheck | VaultCheck {
  return check.from === 'vault' || (check.from === 'deployment' && check.needs !== undefined);
}

/**
 * Runs those that go first, one after the other.
 *
 * @param wanted ids of the checks that were selected; another one is in the results only if it did not pass
 */
export async function runFirst(
  checks: readonly (ServiceCheck | VaultCheck)[],
  context: ServiceContext,
  wanted: ReadonlySet<string>,
  { signal, onResult }: Pick<RunOptions, 'signal' | 'onResult'>,
): Promise<{ readonly results: CheckResult[]; readonly cause: RootCause | undefined }> {
  const results: CheckResult[] = [];
  let cause: RootCause | undefined;
  for (const check of checks) {
    const { id } = check;
    const bound = following(check, bindService(check, context), cause);
    const run = async (): Promise<Evidence> => {
      try {
        return await bound.run();
      } catch (error) {
        if (error instanceof ServiceDown) cause = { id, service: error.service };
        throw error;
      }
    };
    for (const result of await runAll([{ ...bound, run }], signal === undefined ? {} : { signal })) {
      if (!wanted.has(id) && (result.status === 'passed' || result.status === 'skipped')) continue;
      results.push(result);
      onResult?.(result);
    }
  }
  return { results, cause };
}

/** What can be checked while a service is away; everything else is skipped, and says what it follows from. */
export function bindWithout(check: Check, context: ServiceContext, cause: RootCause): BoundCheck {
  const { id, title, proves, doesNotProve, severity } = check;
  const nothing = { id, title, proves, doesNotProve, severity, run: async () => Promise.resolve({}) };
  const bound = isOfServices(check) ? bindService(check, context) : nothing;
  return following(check, bound, cause);
}

function following(check: Check, bound: BoundCheck, cause: RootCause | undefined): BoundCheck {
  if (cause === undefined || bound.skipReason !== undefined || !followsFrom(check, cause)) return bound;
  return { ...bound, skipReason: `follows from ${cause.id}` };
}

function followsFrom(check: Check, { service }: RootCause): boolean {
  const needs = check.from === 'vault' ? 'vault' : check.from === 'deployment' ? (check.needs ?? 'minio') : 'minio';
  return needs !== 'none' && SERVICES.indexOf(needs) >= SERVICES.indexOf(service);
}
