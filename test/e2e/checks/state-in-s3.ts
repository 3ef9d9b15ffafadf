/** Terraform's state in the MinIO of another environment, as the handbook has it: two machines, kills, a bucket away. */
import { CreateBucketCommand, GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { s3CaFile, s3Endpoint } from '../../../config/state/endpoints';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { readCredentials } from '../../../operations/minio/s3-client';
import { NO_AWS_SETTINGS } from '../../helpers/e2e/clients/client-programs';
import { mustSucceed } from '../../helpers/e2e/command';
import { type Settings, TestEnvironment } from '../../helpers/e2e/test-environment';
import { testPorts } from '../../helpers/e2e/test-ports';
import { rootS3 } from '../../helpers/e2e/clients/root-s3';

const BUCKET = 'terraform.state';
/** Through a proxy Terraform might reach what the commands do not. */
const NO_PROXY = { HTTPS_PROXY: undefined, https_proxy: undefined, ALL_PROXY: undefined, all_proxy: undefined };
const LOCKED =
  /^error: the Terraform state s3:\/\/\S+\/(?<stack>\w+)\.tfstate is locked by \S+ since .+ \(OperationTypeApply, ID (?<id>[\w-]+)\)$/m;

/** @param backend whose MinIO holds the state */
export function describeStateInS3(backend: () => LoadedEnvironment): void {
  describe('Terraform state in S3', () => {
    let environment: TestEnvironment;
    let s3: S3Client;
    let env: Readonly<Record<string, string | undefined>>;

    /** Where machines have their copy of the state folder that is not at its place. */
    const copyOf = (machine: string): string => path.join(environment.folder, `state-of-${machine}`);
    const place = (): string => path.join(environment.folder, 'state');
    const stateIn = (bucket: string, endpoint: string, directory = place()): Settings => ({
      keyStore: { type: 'filesystem' },
      state: { backend: 's3', directory, bucket, region: 'us-east-1', endpoint },
    });
    const endpoint = (): string => s3Endpoint(backend().environment, backend().state).url;

    beforeAll(async () => {
      const { environment: other, state } = backend();
      const { accessKey, secretKey } = readCredentials(state.secret.minioRoot);
      env = {
        ...NO_AWS_SETTINGS,
        ...{
          AWS_ACCESS_KEY_ID: accessKey,
          AWS_SECRET_ACCESS_KEY: secretKey.reveal(),
          AWS_CA_BUNDLE: s3CaFile(other, state),
        },
      };
      s3 = rootS3(backend());
      await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
      environment = await TestEnvironment.create();
      environment.write(stateIn(BUCKET, endpoint()));
      mustSucceed(await environment.script('up', [], { env }));
    });
    afterAll(async () => {
      s3.destroy();
      await environment.remove({ env });
    });

    test('two machines take turns; a copy of the state folder that is older is refused, and nothing is touched', async () => {
      // GIVEN a second machine with a copy, which deploys
      cpSync(place(), copyOf('other'), { recursive: true });
      renameSync(place(), copyOf('one'));
      renameSync(copyOf('other'), place());
      environment.write({ ...stateIn(BUCKET, endpoint()), minio: { memoryMb: 1024 } });
      const { stderr } = mustSucceed(await environment.script('up', [], { env }));
      expect(stderr).toContain(`${environment.name}-minio: 1 changed`);

      // WHEN it is the first one's turn again
      renameSync(place(), copyOf('other'));
      renameSync(copyOf('one'), place());
      const turn = readFileSync(environment.state.turn);
      const life = await environment.lifeOf('minio');
      const answers = [
        await environment.script('up', [], { env }),
        await environment.script('plan', [], { env }),
        await environment.cdktf(['synth'], { env }),
      ];

      // THEN
      for (const { code, stdout, stderr: said } of answers) {
        expect(code).not.toBe(0);
        expect(`${stdout}${said}`).toMatch(
          /error: the state folder \S+ is older than what is deployed: \S+ deployed \S+ on \S+Z with another copy of it/,
        );
      }
      expect(readFileSync(environment.state.turn)).toEqual(turn);
      expect(await environment.lifeOf('minio')).toBe(life);

      // WHEN it gets the newer copy
      rmSync(place(), { recursive: true });
      renameSync(copyOf('other'), place());
      await environment.expectNothingToDeploy({ env });
    });

    test('a plan beside a deploy is refused; the lock that a killed deploy left is said, and goes as the handbook says', async () => {
      // GIVEN a deploy in the middle of its last stack
      environment.write({ ...stateIn(BUCKET, endpoint()), buckets: [{ name: 'second' }] });
      const deploy = environment.script('up', [], { env });
      await waitFor({ what: 'the checks of the deploy', timeoutMs: 300_000 }, async () => {
        const Key = `encrypted-backup-storage/${environment.name}/checks.tfstate.tflock`;
        const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
        const lock = (await Body?.transformToString()) ?? '';
        // a plan holds it, too
        return lock.includes('OperationTypeApply') || new NotYet(lock);
      });
      environment.stopWorkers();
      // THEN another machine, where nothing else tells of it, does not plan
      const elsewhere = path.join(environment.folder, 'elsewhere');
      mkdirSync(elsewhere);
      const file = environment.writeOther('elsewhere.yaml', stateIn(BUCKET, endpoint(), elsewhere));
      const beside = await environment.scriptWith('plan', [file], { env });
      expect(beside).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(LOCKED) as string });

      // WHEN it is killed
      await environment.killWorkers();
      await deploy;
      const refused = await environment.script('up', [], { env });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(LOCKED) as string });
      expect(refused.stderr).toContain('docs/operations.md, "A lock in S3 after a kill"');
      const { stack = '', id = '' } = LOCKED.exec(refused.stderr)?.groups ?? {};
      const folder = path.join(environment.state.cdktfOut, 'stacks', `${environment.name}-${stack}`);
      mustSucceed(await environment.terraformIn(folder, ['force-unlock', '-force', id], { env }));

      // THEN
      mustSucceed(await environment.script('up', [], { env }));
    });

    test.each([
      [
        'is not there',
        async () => Promise.resolve(stateIn('not-there', endpoint())),
        /^error: the bucket of the Terraform state s3:\/\/not-there\/\S+ does not exist\nhint: make the bucket, or correct state\.bucket/m,
      ],
      [
        'is away',
        async () => stateIn(BUCKET, `https://127.0.0.1:${(await testPorts(1))[0]}`),
        /^error: the Terraform state s3:\/\/\S+ cannot be read: connect ECONNREFUSED/m,
      ],
    ])('a bucket that %s is said before anything is touched', async (_, settings, line) => {
      const life = await environment.lifeOf('minio');
      environment.write(await settings());
      const { code, stderr } = await environment.script('up', [], { env: { ...env, ...NO_PROXY } });
      environment.write(stateIn(BUCKET, endpoint()));
      expect(code).toBe(1);
      expect(stderr).toMatch(line);
      expect(await environment.lifeOf('minio')).toBe(life);
    });
  });
}
