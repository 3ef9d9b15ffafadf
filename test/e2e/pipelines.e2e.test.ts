/** The example pipelines, run as they are written against a deployment that they make themselves. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import {
  filesOfProject,
  type JobResult,
  PipelineRunner,
  PULL_REQUEST,
  type RepositorySettings,
  STEP_TIMEOUT_MS,
} from '../helpers/e2e/pipeline-runner';
import { measured } from '../helpers/e2e/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import {
  type GithubJob,
  type GithubStep,
  type GithubWorkflowName,
  type GitlabJob,
  readGithub,
  readGitlab,
} from '../helpers/pipelines';

let environment: TestEnvironment;
let runner: PipelineRunner;
let settings: RepositorySettings;
/** The checkout on the machine with the secrets, which keeps it from job to job. */
let workspace: string;

type Contents = Record<string, unknown>;

beforeAll(async () => {
  environment = await TestEnvironment.create({ buckets: [{ name: 'backup', encryption: { type: 'sse-s3' } }] });
  runner = new PipelineRunner(path.join(environment.folder, 'pipelines'));
  const stateHome = path.join(environment.folder, 'state-home');
  settings = { EBS_ENVIRONMENT: environment.name, EBS_STATE_HOME: stateHome };
  workspace = runner.checkout('own-runner');
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
  writeFileSync(path.join(workspace, 'environments', `${name}.yaml`), stringify(contents));
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

/** The step of GitHub's plan that GitLab has word for word. */
function synthesis(): Extract<GithubStep, { run: string }> {
  const found = githubJob('pull-request', 'plan').steps.find((step) => 'run' in step && step.name === 'Synthesize');
  if (found === undefined || !('run' in found)) throw new Error('the plan of pull-request.yml has no step Synthesize');
  return found;
}

function expectSuccess(result: JobResult): void {
  const failed = result.steps.find(({ code }) => code !== 0);
  expect(failed === undefined ? '' : `${failed.name}: ${failed.stdout}\n${failed.stderr}`).toBe('');
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
      ),
      runner.github(workspace, githubJob('deploy', 'deploy'), settings),
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

  test('is planned, and the plan becomes a comment', async () => {
    const { steps, ...job } = githubJob('pull-request', 'plan');
    // the step `Synthesize` is run below: GitLab has the same commands
    const others = steps.filter((step) => !('run' in step && step.name === synthesis().name));
    expectSuccess(await runner.github(workspace, { ...job, steps: others }, settings));
    expectSuccess(await runner.github(workspace, githubJob('pull-request', 'comment'), settings));
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
    expectSuccess(await runner.github(workspace, githubJob('pull-request', 'comment'), settings));
    expect(runner.gh().calls.at(-1)).toBe(
      'api --method PATCH repos/example/storage/issues/comments/7 --field body=@comment.md --silent',
    );
  });

  test('of GitLab shows the numbers of its plan', async () => {
    const job = gitlabJob('plan');
    expect(job.script?.slice(0, 2).join('\n')).toBe(synthesis().run.trim());
    const result = await runner.gitlab(workspace, job, settings);
    expectSuccess(result);
    expect(existsSync(path.join(workspace, 'cdktf.out', 'manifest.json'))).toBe(true);
    expect(result.steps[0]?.stderr).toContain(`Plan of ${environment.name}: 1 to change`);
    const numbers = readFileSync(path.join(workspace, 'plan-numbers.json'), 'utf8');
    expect(JSON.parse(numbers)).toEqual({ create: 0, update: 1, delete: 0 });
  });

  test('that is merged is deployed', async () => {
    expectSuccess(await runner.gitlab(workspace, gitlabJob('deploy'), settings));
    expect(existsSync(path.join(workspace, 'reports', 'checks.xml'))).toBe(true);
  });
});

describe('the drift job', () => {
  test('finds nothing after a deploy', async () => {
    const result = await runner.github(workspace, githubJob('drift', 'drift'), settings);
    expectSuccess(result);
    expect(said(result)).not.toContain('::error');
  });

  test('fails when somebody changed a container by hand, and runs the checks all the same', async () => {
    const container = environment.docker.getContainer(environment.containerName('minio'));
    const bytes = 1200 * 1024 * 1024;
    await container.update({ Memory: bytes, MemorySwap: bytes });
    const github = await runner.github(workspace, githubJob('drift', 'drift'), settings);
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
