import { failoverClient } from '../../helpers/e2e/clients/failover-client';
import { measured } from '../../helpers/e2e/clients/measured';
import { type LoadResult, type LoadTarget, SteadyLoad } from '../../helpers/e2e/clients/steady-load';
import { type Host, HOSTS, type ThreeHosts } from './three-hosts';

/** Whoever waits for a host that cannot serve waits longer; 2 to 10 s were seen on two processors, some of them busy. */
const TROUBLE_LIMIT_MS = 25_000;

/** An object whose writer lost its power is locked for 8 s (docs/adr/0077), and MinIO looks again within 5 s. */
const LOCKED_MS = 30_000;

/**
 * Does something to the hosts while three clients write and read: two that send again what failed and know the addresses of
 * all hosts, beginning with that of the victim and with another; and one of another host's balancer, which waits for each
 * answer and sends nothing again.
 *
 * @param undo is done in any case, so that the next test begins with whole hosts
 * @param halts whether MinIO of a host is there and answers nothing, which the others notice late. Default: no
 * @param rolls whether it strikes one host after the other, so that there is more than one moment of trouble. Default: no
 */
export async function endure(
  lab: ThreeHosts,
  fault: string,
  victim: Host,
  act: () => Promise<unknown>,
  {
    rolls = false,
    halts = false,
    undo,
  }: { readonly rolls?: boolean; readonly halts?: boolean; readonly undo?: () => Promise<unknown> } = {},
): Promise<void> {
  const [next, last] = HOSTS.filter((host) => host !== victim);
  if (next === undefined || last === undefined) throw new Error('there are three hosts');
  const clients = new Map(HOSTS.map((host) => [host, lab.s3Of(host, 1)]));
  const only = lab.s3Of(next, 1);
  const of = (...order: readonly Host[]) => failoverClient(order.flatMap((host) => clients.get(host) ?? []));
  const acknowledged: LoadTarget['acknowledged'] = (object) => {
    lab.written.set(`${object.bucket}/${object.key}`, object);
  };
  const buckets = ['backup', 'archive'];
  const patient = { patient: true, patienceMs: LOCKED_MS, perSecond: 4, acknowledged };
  const loads = [
    new SteadyLoad({ ...patient, s3: of(victim, next, last), buckets, prefix: 'first' }),
    new SteadyLoad({ ...patient, s3: of(next, last, victim), buckets, prefix: 'second' }),
    new SteadyLoad({ s3: only, buckets, perSecond: 4, acknowledged, prefix: 'third' }),
  ] as const;
  let results: readonly LoadResult[];
  try {
    await Promise.all(loads.map((load) => load.answered(40)));
    for (const load of loads) load.mark();
    await act();
    await Promise.all(loads.map((load) => load.answered(160)));
  } finally {
    results = await Promise.all(loads.map((load) => load.stop()));
    for (const client of [...clients.values(), only]) client.destroy();
    await undo?.();
  }
  const [first, second, impatient] = results;
  if (first === undefined || second === undefined || impatient === undefined) throw new Error('there are three loads');
  const slowestMs = Math.max(first.slowestMs, second.slowestMs, impatient.slowestMs);
  const troubledMs = Math.max(first.troubledMs, second.troubledMs);
  const underWayMs = Math.max(first.underWayMs, second.underWayMs, impatient.underWayMs);
  measured(`${fault}: trouble`, troubledMs / 1000);
  measured('… slowest request', slowestMs / 1000);
  measured('… slowest of those that were under way', underWayMs / 1000);
  measured(
    `… failed of ${impatient.requests} that were sent once: ${impatient.failures.length}; trouble`,
    impatient.troubledMs / 1000,
  );
  lab.rows.push({
    fault,
    requests: first.requests + second.requests,
    failed: first.failures.length + second.failures.length,
    troubledMs,
    slowestMs,
    underWayMs,
    sentOnce: { requests: impatient.requests, failed: impatient.failures.length },
    objects: lab.objects.size + lab.written.size,
  });
  expect([...first.failures, ...second.failures]).toEqual([]);
  if (halts) return;
  if (!rolls) expect(troubledMs).toBeLessThan(TROUBLE_LIMIT_MS);
  // one that waits for a host that cannot serve waits for half a minute
  expect(Math.max(first.slowestMs, second.slowestMs)).toBeLessThan(TROUBLE_LIMIT_MS);
  expect(impatient.failures.length / impatient.requests).toBeLessThan(0.03);
}
