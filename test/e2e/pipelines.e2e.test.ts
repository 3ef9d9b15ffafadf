/** The example pipelines, run as they are written against a deployment that they make themselves. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import {
  filesOfProject,
  type JobResult,
  OF_PULL_REQUEST,
  ofMain,
  PipelineRunner,
  PULL_REQUEST,
  type RepositorySettings,
  STEP_TIMEOUT_MS,
} from '../helpers/e2e/pipeline-runner';
import { collectSecrets, searchFor } from '../helpers/e2e/secrets';
import { measured } from '../helpers/e2e/clients/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { type GithubJob, type GithubWorkflowName, type GitlabJob, readGithub, readGitlab } from '../helpers/pipelines';

let environment: TestEnvironment;
let runner: PipelineRunner;
let settings: RepositorySettings;
/** The checkout on the machine with the secrets, which keeps it from job to job. */
let workspace: string;
/** The one on a machine that has neither the state folder nor access to Docker. */
let planWorkspace: string;

type Contents = Record<string, unknown>;

beforeAll(async () => {
  environment = await TestEnvironment.create({ buckets: [{ name: 'backup', encryption: { type: 'sse-s3' } }] });
  runner = new PipelineRunner(path.join(environment.folder, 'pipelines'));
  const stateHome = path.join(environment.folder, 'state-home');
  settings = { EBS_ENVIRONMENT: environment.name, EBS_STATE_HOME: stateHome };
  workspace = runner.checkout('deploy-runner');
  planWorkspace = runner.checkout('plan-runner');
  const { state: _, ...contents } = parse(readFileSync(environment.file, 'utf8')) as Contents;
  writeEnvironment(environment.name, contents);
  // the same deployment, for whoever takes it down
  const directory = path.join(stateHome, 'encrypted-backup-storage', environment.name);
  writeFileSync(environment.file, stringify({ ...contents, state: { backend: 'local', directory } }));
});

afterAll(async () => {
  await environment.remove();
});

function writeEnvironment(name: string, contents: Contents): void {
  for (const folder of [workspace, planWorkspace]) {
    writeFileSync(path.join(folder, 'environments', `${name}.yaml`), stringify(contents));
  }
}

function githubJob(workflow: GithubWorkflowName, job: string): GithubJob {
  const found = readGithub(workflow).jobs[job];
  if (found === undefined) throw new Error(`${workflow}.yml has no job ${job}`);
  return found;
}

function gitlabJob(job: string): GitlabJob {
  const found = readGitlab()[job];
  if (found === undefined) throw new Error(`.gitlab-ci.yml has no job ${job}`);
  return found;
}

function expectSuccess(result: JobResult): void {
  const failed = result.steps.find(({ code }) => code !== 0);
  expect(failed === undefined ? '' : `${failed.name}: ${failed.stdout}\n${failed.stderr}`).toBe('');
}

/** A runner that has no state folder, and reaches no engine. */
function onPlanRunner(): RepositorySettings {
  return { ...settings, EBS_STATE_HOME: path.join(environment.folder, 'nowhere'), DOCKER_HOST: 'unix:///nowhere' };
}

/** The copy for plans as GitLab keeps it. */
function uploaded(): string {
  return runner.package(`plan-copy/${environment.name}/plan-copy.json`);
}

/** What a job prints: errors are on stdout as GitHub wants them, progress on stderr. */
function said({ steps }: JobResult): string {
  return steps.map(({ stdout, stderr }) => `${stdout}\n${stderr}`).join('\n');
}

test(
  'the test job passes in a fresh checkout, while the deploy job deploys and its checks leave a report',
  async () => {
    // a part that has something for each step of it: over the whole project ./scripts/test has just run these steps
    const part = ['scripts/test.ts', ...filesOfProject().filter((file) => /^test\/config\/.*\.test\.ts$/.test(file))];
    const [tested, deployed] = await Promise.all([
      new PipelineRunner(path.join(environment.folder, 'hosted')).github(
        runner.checkout('hosted-runner', part),
        githubJob('pull-request', 'test'),
        settings,
        OF_PULL_REQUEST,
      ),
      runner.github(workspace, githubJob('deploy', 'deploy'), settings, ofMain('deploy')),
    ]);
    expectSuccess(deployed);
    expectSuccess(tested);
    expect(tested.steps[0]?.stderr).toMatch(/✔ format .*✔ types .*✔ unit tests: \d+ passed, 0 failed/s);
    expect(tested.steps[0]?.stderr).toContain('✔ lint ');
    expect(tested.steps[0]?.stdout).toMatch(/^\d+ passed, 0 failed/m);
    expect(readdirSync(runner.artifact('checks'))).toEqual(expect.arrayContaining(['checks.json', 'checks.xml']));
    for (const step of [...tested.steps, ...deployed.steps]) measured(`GitHub, ${step.name}`, step.seconds);
  },
  STEP_TIMEOUT_MS,
);

test('the test job of GitLab is the same', () => {
  expect(gitlabJob('test').script).toEqual(
    githubJob('pull-request', 'test').steps.flatMap((step) => ('run' in step ? step.run : [])),
  );
});

describe('a pull request', () => {
  beforeAll(() => {
    const file = path.join(workspace, 'environments', `${environment.name}.yaml`);
    const { minio, ...contents } = parse(readFileSync(file, 'utf8')) as Contents & { minio: Contents };
    writeEnvironment(environment.name, { ...contents, minio: { ...minio, memoryMb: 1100 } });
  });

  test('is planned without any secret, and the plan becomes a comment', async () => {
    const job = githubJob('pull-request', 'plan');
    expectSuccess(await runner.github(planWorkspace, job, onPlanRunner(), OF_PULL_REQUEST));
    expectSuccess(await runner.github(planWorkspace, githubJob('pull-request', 'comment'), settings, OF_PULL_REQUEST));
    const { calls, body } = runner.gh();
    expect(calls.at(-1)).toBe(
      `api --method POST repos/example/storage/issues/${PULL_REQUEST}/comments --field body=@comment.md --silent`,
    );
    expect(body).toContain(`### Plan of ${environment.name}: 1 to change\n`);
    expect(body).toContain(`| \`${environment.name}-minio\` | changes | 0 | 1 | 0 | 0 | 0 |`);
    expect(readFileSync(runner.summary, 'utf8')).toBe(body);
  });

  test('that is pushed to again has its comment written anew', async () => {
    runner.commentExists('7');
    expectSuccess(await runner.github(planWorkspace, githubJob('pull-request', 'comment'), settings, OF_PULL_REQUEST));
    expect(runner.gh().calls.at(-1)).toBe(
      'api --method PATCH repos/example/storage/issues/comments/7 --field body=@comment.md --silent',
    );
  });

  test('of GitLab shows the numbers of its plan', async () => {
    mkdirSync(path.dirname(uploaded()), { recursive: true });
    copyFileSync(path.join(runner.artifact('plan-copy'), 'plan-copy.json'), uploaded());
    const result = await runner.gitlab(planWorkspace, gitlabJob('plan'), onPlanRunner());
    expectSuccess(result);
    expect(result.steps[0]?.stderr).toContain(`Plan of ${environment.name}: 1 to change`);
    const numbers = readFileSync(path.join(planWorkspace, 'plan-numbers.json'), 'utf8');
    expect(JSON.parse(numbers)).toEqual({ create: 0, update: 1, delete: 0 });
  });

  test('that drops its conditions and asks for the runner with the secrets gets nothing of it', async () => {
    const { if: _, environment: __, ...job } = githubJob('pull-request', 'plan');
    const stolen = path.join(environment.folder, 'stolen');
    const steps = [{ name: 'Steal', run: `cp -r "${settings.EBS_STATE_HOME}" "${stolen}"`, shell: 'bash' as const }];
    const attack: GithubJob = { ...job, 'runs-on': ['self-hosted', 'encrypted-backup-storage'], steps };
    for (const trigger of [
      OF_PULL_REQUEST,
      { event: 'push', ref: 'refs/heads/attack', workflow: 'deploy' },
      { event: 'pull_request_target', ref: 'refs/heads/main', workflow: 'deploy' },
      ofMain('attack'),
    ]) {
      const { code, steps: ran } = await runner.github(workspace, attack, settings, trigger);
      expect([code, ran.map(({ name }) => name)]).toEqual([1, ['Set up runner']]);
      expect(ran[0]?.stdout).toMatch(/^::error title=Not on this runner::it takes (?:no job|jobs) of /);
      expect(existsSync(stolen)).toBe(false);
    }
    // the same on main would get all of it
    expectSuccess(await runner.github(workspace, attack, settings, ofMain('deploy')));
    expect(existsSync(stolen)).toBe(true);
    rmSync(stolen, { recursive: true });
  });

  test('finds no secret where it is planned', () => {
    const secrets = collectSecrets(environment.state);
    const files = [planWorkspace, runner.artifact('plan-copy'), runner.artifact('plan')].flatMap((folder) =>
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => path.join(folder, name)),
    );
    expect(files.map((file) => path.basename(file))).toEqual(expect.arrayContaining(['plan-copy.json', 'plan.json']));
    const haystacks = files.map((name) => ({ name, content: readFileSync(name) }));
    expect(searchFor(secrets, haystacks)).toEqual([]);
    // a secret in it would be found
    const planted = JSON.stringify({ text: readFileSync(environment.state.secret.provisionerToken, 'utf8') });
    expect(searchFor(secrets, [{ name: 'planted', content: Buffer.from(planted) }])).not.toEqual([]);
  });

  test('that is merged is deployed, and leaves a newer copy', async () => {
    const before = readFileSync(uploaded(), 'utf8');
    expectSuccess(await runner.gitlab(workspace, gitlabJob('deploy'), settings));
    expect(existsSync(path.join(workspace, 'reports', 'checks.xml'))).toBe(true);
    expect(readFileSync(uploaded(), 'utf8')).not.toBe(before);
  });
});

describe('the drift job', () => {
  test('finds nothing after a deploy', async () => {
    const result = await runner.github(workspace, githubJob('drift', 'drift'), settings, ofMain('drift'));
    expectSuccess(result);
    expect(said(result)).not.toContain('::error');
  });

  test('fails when somebody changed a container by hand, and runs the checks all the same', async () => {
    const container = environment.docker.getContainer(environment.containerName('minio'));
    const bytes = 1200 * 1024 * 1024;
    await container.update({ Memory: bytes, MemorySwap: bytes });
    const github = await runner.github(workspace, githubJob('drift', 'drift'), settings, ofMain('drift'));
    expect(github.steps.map(({ name, code }) => [name, code])).toEqual([
      ['Plan', 2],
      ['Check', 0],
    ]);
    expect(said(github)).toContain('::error title=Drift::');
    const gitlab = await runner.gitlab(workspace, gitlabJob('drift'), settings);
    expect(gitlab.code).toBe(2);
    expect(said(gitlab)).toContain('DRIFT: what is deployed is not what is declared');
  });

  test('tells what could not be checked from what failed', async () => {
    const name = `${environment.name}-none`;
    const file = path.join(workspace, 'environments', `${environment.name}.yaml`);
    writeEnvironment(name, { ...(parse(readFileSync(file, 'utf8')) as Contents), name });
    const nothing = { ...settings, EBS_ENVIRONMENT: name };
    const gitlab = await runner.gitlab(workspace, gitlabJob('drift'), nothing);
    expect(gitlab.code).toBe(3);
    expect(said(gitlab)).toContain('COULD NOT CHECK');
  });
});
