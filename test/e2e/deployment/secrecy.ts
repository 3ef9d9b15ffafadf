import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { reportFiles } from '../../../operations/checks/report/write';
import { mustSucceed } from '../../helpers/e2e/command';
import {
  collectSecrets,
  containerProcesses,
  dockerHaystacks,
  fileHaystacks,
  type Finding,
  type ProcessWatch,
  processHaystacks,
  searchFor,
  type Secret,
  wrongModes,
} from '../../helpers/e2e/secrets';
import { STACKS, type TestEnvironment } from '../../helpers/e2e/test-environment';

/** Every secret is in its file in the secrets folder and in no other place that can be looked at. */
export function describeSecrecy(subject: () => { environment: TestEnvironment; watch: ProcessWatch }): void {
  describe('keeping secrets', () => {
    let secrets: Secret[];

    beforeAll(() => {
      const { environment, watch } = subject();
      secrets = [...collectSecrets(environment.state), ...watch.secrets];
    });

    async function searchEverywhere(environment: TestEnvironment, watched: ProcessWatch): Promise<Finding[]> {
      return searchFor(secrets, [
        ...fileHaystacks(environment),
        ...(await dockerHaystacks(environment)),
        ...processHaystacks([...(await containerProcesses(environment)), process.pid]),
        ...watched.haystacks,
      ]);
    }

    test('the kinds of secrets that there are', () => {
      const names = new Set(secrets.map(({ name }) => name.replace(/, line \d+$/, '')));
      expect([...names]).toEqual(
        expect.arrayContaining([
          'SecretID of KES',
          expect.stringMatching(/^secret key of root/),
          ...['operations', 'iam', 'objects'].map((user) => `secret key of ebs-${user}`),
          'root password',
          'vault/unseal-share-1',
          'vault/provisioner-token',
          ...['ca', 'vault-server', 'kes-server', 'minio-server', 'minio', 'key-creator', 'key-prover', 'health'].map(
            (leaf) => `tls/${leaf}.key`,
          ),
        ]),
      );
    });

    test('none is in state, plans, synthesized stacks, logs, reports, Docker or processes', async () => {
      const { environment, watch } = subject();
      for (const stack of STACKS) {
        const file = `${stack}.tfplan`;
        const plan = await environment.terraform(stack, ['plan', '-input=false', '-refresh=false', `-out=${file}`]);
        mustSucceed(plan);
        // into the transcript, which is searched with everything else
        mustSucceed(await environment.terraform(stack, ['show', '-json', file]));
      }
      expect(watch.haystacks.length).toBeGreaterThan(20);
      const files = fileHaystacks(environment).map(({ name }) => name);
      expect(files).toEqual(expect.arrayContaining(Object.values(reportFiles(environment.state.reports))));
      expect(await searchEverywhere(environment, watch)).toEqual([]);
    });

    test('the search finds a secret that is planted in a file, in an encoding, in a process and in a container', async () => {
      const { environment, watch } = subject();
      const [first] = secrets;
      if (first === undefined) throw new Error('there is no secret');
      const file = path.join(environment.state.logs, 'planted.log');
      const encoded = path.join(environment.state.terraform, 'planted.tfstate');
      const image = (await environment.docker.getContainer(environment.containerName('kes')).inspect()).Image;
      const child = spawn('sleep', ['60'], { env: { PLANTED: first.value }, stdio: 'ignore' });
      const container = await environment.docker.createContainer({
        Image: image,
        Cmd: ['never started'],
        Env: [`PLANTED=${first.value}`],
        Labels: { [environment.owner.name]: environment.owner.value },
        name: environment.containerName('planted'),
      });
      try {
        writeFileSync(file, `the value is ${first.value}.`);
        writeFileSync(encoded, JSON.stringify({ content: Buffer.from(`x${first.value}x`).toString('base64') }));
        const found = await searchEverywhere(environment, watch);
        expect(found.map(({ where }) => where)).toEqual(
          expect.arrayContaining([
            file,
            encoded,
            `environment of process ${child.pid}`,
            `docker inspect /${environment.containerName('planted')}`,
          ]),
        );
      } finally {
        child.kill();
        rmSync(file, { force: true });
        rmSync(encoded, { force: true });
        await container.remove({ force: true });
      }
    });

    test('only their owner can read them', () => {
      expect(wrongModes(subject().environment.state.secrets)).toEqual([]);
    });
  });
}
