import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { mustSucceed } from '../../helpers/e2e/command';
import { diskPlaces, FOUND } from '../../helpers/e2e/disk-places';
import { measured } from '../../helpers/e2e/clients/measured';
import { ProcessWatch } from '../../helpers/e2e/secrets';
import { STACKS, type TestEnvironment } from '../../helpers/e2e/test-environment';

/** What `up` is told about what runs during it. */
export interface FirstDeploy {
  readonly environment: TestEnvironment;
  /** What was seen of the processes of the first deploy. */
  readonly watch: ProcessWatch;
}

/** From nothing to a deployment that has proved itself, and again without a change. */
export function describeFirstDeploy(deploy: () => FirstDeploy): void {
  describe('deploying', () => {
    test('./scripts/up deploys, passes its own checks and says how to connect; a second one meanwhile is refused', async () => {
      const { environment, watch } = deploy();
      const first = environment.script('up', [], {
        onStart: (pid) => {
          watch.start(pid);
        },
      });
      await waitFor({ what: 'the first deploy to hold the lock', timeoutMs: 180_000 }, () =>
        Promise.resolve(existsSync(environment.state.lock) ? true : new NotYet('no lock')),
      );
      const second = await environment.script('up');
      const result = await first.finally(() => {
        watch.stop();
      });

      expect(second.code).toBe(1);
      expect(second.stderr).toMatch(/error: process \d+ \(.*up.*\) has been deploying e2e-\w+ since/);
      mustSucceed(result);
      expect(result.stdout).toContain(`S3 endpoint   ${environment.s3Url}`);
      expect(result.stdout).toContain(environment.state.caCertificate);
      expect(result.stdout).toContain(path.join(environment.state.reports, 'checks.html'));
      measured('first ./scripts/up', result.seconds);
    });

    test('the report of the checks says that everything passed', () => {
      const { environment } = deploy();
      const report = JSON.parse(readFileSync(path.join(environment.state.reports, 'checks.json'), 'utf8')) as {
        outcome: string;
      };
      expect(report.outcome).toBe('passed');
    });

    test('the report says of each place whether its disk is encrypted, and names the device', () => {
      const { environment } = deploy();
      const places = diskPlaces(environment.state);
      const volumes = ['minio-files', 'kes-files', 'vault-data', 'vault-audit', 'vault-files', 'vault-unsealer-files'];
      expect(Object.keys(places)).toEqual(
        expect.arrayContaining([
          `drive ${environment.containerName('minio')}-data`,
          ...volumes.map((volume) => `volume ${environment.containerName(volume)}`),
          'logs of containers',
          `state folder ${environment.state.root}`,
        ]),
      );
      expect(Object.keys(places).filter((name) => name.startsWith('swap of '))).not.toHaveLength(0);
      const drive = places[`drive ${environment.containerName('minio')}-data`];
      expect(drive?.by).toMatch(FOUND);
      // the machine of the tests has its volumes and logs on one disk
      expect(places['logs of containers']).toEqual(drive);
    });

    test('every container is hardened', async () => {
      const { environment } = deploy();
      for (const program of ['vault', 'vault-unsealer', 'kes', 'minio']) {
        const { Config, HostConfig } = await environment.docker
          .getContainer(environment.containerName(program))
          .inspect();
        expect({
          user: Config.User,
          readOnly: HostConfig.ReadonlyRootfs,
          capDrop: HostConfig.CapDrop as unknown,
          securityOpt: HostConfig.SecurityOpt as unknown,
          limited: (HostConfig.Memory ?? 0) > 0,
          restart: HostConfig.RestartPolicy?.Name,
          addresses: Object.values((HostConfig.PortBindings ?? {}) as Record<string, { HostIp: string }[]>)
            .flat()
            .filter(({ HostIp }) => HostIp !== '127.0.0.1'),
        }).toEqual({
          user: '65532:65532',
          readOnly: true,
          capDrop: ['ALL'],
          securityOpt: ['no-new-privileges'],
          limited: true,
          restart: 'always',
          addresses: [],
        });
      }
    });

    test("npx cdktf deploy '*' changes nothing in any stack", async () => {
      const { environment } = deploy();
      const result = await environment.cdktf(['deploy', '*', '--auto-approve']);
      mustSucceed(result);
      expect(environment.changes(result)).toEqual(Object.fromEntries(STACKS.map((stack) => [stack, 'no change'])));
      measured("unchanged npx cdktf deploy '*'", result.seconds);
    });

    test('./scripts/up --json prints the summary for a program, and changes nothing', async () => {
      const { environment } = deploy();
      const before = await Promise.all(['vault', 'kes', 'minio'].map((program) => environment.lifeOf(program)));
      const result = await environment.script('up', ['--json']);
      mustSucceed(result);
      expect(JSON.parse(result.stdout)).toMatchObject({
        environment: environment.name,
        s3: { endpoint: environment.s3Url, caFile: environment.state.caCertificate },
        stateFolder: environment.state.root,
      });
      const after = await Promise.all(['vault', 'kes', 'minio'].map((program) => environment.lifeOf(program)));
      expect(after).toEqual(before);
      measured('unchanged ./scripts/up', result.seconds);
    });
  });
}
