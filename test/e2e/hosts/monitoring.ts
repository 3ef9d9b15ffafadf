import { monitoringNames } from '../../../config/deployment-names';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { Prometheus } from '../../helpers/e2e/servers/prometheus';
import { HOSTS, NAMES, type ThreeHosts } from './three-hosts';
import { activeVault } from './vaults';

const CHECK = 'metrics-readers-confined';
/** Longer than what is wrong now takes to become an alert. */
const LOOK_MS = 15_000;
const AWAY = 'EbsHostUnavailable';
/** True of drives to which hundreds of objects were written in the last minutes. */
const FILLING = 'EbsDriveFilling';

export function describeMonitoring(lab: () => ThreeHosts): void {
  test('monitoring: every host is watched, and one that is away is one alert until it is back', async () => {
    // GIVEN
    const before = lab().settings;
    lab().write({ ...before, monitoring: {} });
    let prometheus: Prometheus | undefined;
    try {
      const up = mustSucceed(await lab().script('up'));
      measured('./scripts/up with monitoring on three hosts', up.seconds);
      const { stdout } = mustSucceed(await lab().script('check', ['--only', CHECK]));
      expect(stdout).toContain(`✔ ${CHECK}`);
      await lab().untilCheckPasses();
      const { environment } = lab();
      const { jobs } = monitoringNames(environment.loaded.environment);
      const watching = await Prometheus.start(environment.loaded, environment.folder);
      prometheus = watching;

      // each host has its targets, of which none is that of another
      for (const name of NAMES) {
        expect(await watching.series(`up{job="${jobs.kes}",node="${name}"} == 1`)).toBe(1);
        expect(await watching.series(`up{job="${jobs.minio}",node="${name}"} == 1`)).toBe(3);
      }
      expect(await watching.series(`up{job="${jobs.vault}"}`)).toBe(HOSTS.length);
      expect(await watching.series(`up{job="${jobs.vault}"} == 1`)).toBe(1);
      expect(await watching.series('vault_autopilot_node_healthy == 1')).toBe(HOSTS.length);
      expect(await watching.othersThan([FILLING], LOOK_MS)).toEqual([]);

      // WHEN a host goes that is not that of the active Vault, which would elect another one first
      const active = await activeVault(lab());
      const host = active === 3 ? 2 : 3;
      await lab().hosts.powerOff(host);

      // THEN
      const others = await watching.until([AWAY]);
      expect([
        ...others.filter((one) => one !== FILLING),
        ...(await watching.othersThan([AWAY, FILLING], LOOK_MS)),
      ]).toEqual([]);

      // WHEN it is back, MinIO and Vault count it some seconds after it answers
      await lab().hosts.powerOn(host);
      await lab().untilCheckPasses();
      await watching.untilEverythingAnswers();
      await waitFor({ what: 'no alert to fire any more', timeoutMs: 180_000 }, async () => {
        const firing = await watching.othersThan([FILLING], LOOK_MS);
        return firing.length === 0 ? true : new NotYet(firing.join(', '));
      });
    } finally {
      await prometheus?.stop();
      lab().write(before);
      mustSucceed(await lab().script('up'));
    }
    await lab().untilCheckPasses();
  });
}
