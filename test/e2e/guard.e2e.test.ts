/**
 * The guard in MinIO, against a MinIO of its own on the loopback: what it refuses, beside the same done as it should be.
 * Where an advisory is public, the same request is sent to MinIO without the guard, too, and gets through: it is not
 * refused for another reason.
 */
import { GUARD_RULES } from '../../config/guard-rules';
import { describeChecks } from './guard/checks';
import { describeClients } from './guard/clients';
import { describeCorrections } from './guard/corrections';
import { describeWire } from './guard/wire';
import { useGuard } from './guard/servers';
import { REFUSALS } from './guard/refusals';

const guard = useGuard();

describe('refuses', () => {
  test.each(REFUSALS)('$rule: $title', async ({ rule, refused, status, code }) => {
    const { guarded } = guard();
    const answer = await guarded.raw.send(await refused(guarded));
    expect(answer.text).toContain(`refused by the rule ${rule} of ebs-guard: `);
    expect(answer.text).toContain(`<Code>${code}</Code>`);
    expect(answer.text).toMatch(/<RequestId>[0-9A-F]{16}<\/RequestId>/);
    expect(answer.status).toBe(status);
  });

  test.each(REFUSALS)('and lets through, instead of $rule: $title', async ({ allowed }) => {
    const { guarded } = guard();
    const answer = await guarded.raw.send(await allowed(guarded));
    expect([200, 204, answer.text]).toContain(answer.status);
  });

  test.each(REFUSALS.filter(({ isPublic }) => isPublic))(
    'what MinIO without the guard does: $rule: $title',
    async ({ refused }) => {
      const { unguarded } = guard();
      const answer = await unguarded.raw.send(await refused(unguarded));
      expect([200, 204, answer.text]).toContain(answer.status);
    },
  );

  test('every rule has a row here or in the unit tests of the guard', () => {
    const inUnitTests = ['repeated-parameter', 'malformed-query'];
    const rows = new Set<string>([...REFUSALS.map(({ rule }) => rule), ...inUnitTests]);
    expect([...rows].sort()).toEqual(GUARD_RULES.map(({ id }): string => id).sort());
  });
});

describeCorrections(guard);
describeChecks(guard);
describeWire(guard);
describeClients(guard);
