import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { projectRoot } from '../../../operations/lib/project-root';
import { catalogue, isDisruptive } from '../../../operations/checks/catalogue';
import { reportSchema } from '../../../operations/checks/report/model';
import { lockHolder } from '../../../operations/lib/lock';
import { mustSucceed, runCommand } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';

/** Whether the checks that interrupt service find a healthy deployment healthy; that they can fail is planted elsewhere. */
export function describeDisruptiveChecks(deployment: () => LoadedEnvironment): void {
  describe('./scripts/check --disruptive', () => {
    test('a healthy deployment passes every check, those that interrupt service among them', async () => {
      // WHEN
      const { file, state } = deployment();
      const check = path.join(projectRoot, 'scripts', 'check');
      const result = mustSucceed(await runCommand(check, [file, '--disruptive', '--json']));

      // THEN
      const { outcome, results, leftOut } = reportSchema.parse(JSON.parse(result.stdout));
      expect(outcome).toBe('passed');
      expect(leftOut).toEqual([]);
      expect(results.map(({ id }) => id)).toEqual(catalogue.map(({ id }) => id));
      const interrupting = catalogue.filter(isDisruptive).map(({ id }) => id);
      expect(interrupting).not.toEqual([]);
      const found = results.filter(({ id }) => interrupting.includes(id));
      expect(found.map(({ id, status, message }) => ({ id, status, message }))).toEqual(
        interrupting.map((id) => ({ id, status: 'passed', message: undefined })),
      );
      for (const { id, durationMs } of found) measured(id, durationMs / 1000);
      expect(await lockHolder(state.lock)).toBeUndefined();
    });
  });
}
