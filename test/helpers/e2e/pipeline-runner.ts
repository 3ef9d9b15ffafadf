/**
 * Runs the jobs of the example pipelines on this machine: their commands as they are written, by the shell that the
 * service uses. What only the service itself can do is stood in for: its actions (checkout, Node, artifacts) by this
 * file, and `gh` by a program that writes down how it was called.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { preProcessFile } from 'typescript';
import { projectRoot } from '../../../operations/lib/project-root';
import type { GithubJob, GithubStep, GitlabJob } from '../pipelines';
import { type CommandResult, runCommand } from './command';

/** What the settings of the repository hold. */
export interface RepositorySettings {
  readonly EBS_ENVIRONMENT: string;
  readonly EBS_STATE_HOME: string;
  /** Of the runner, not of the repository. Default: that of this machine */
  readonly DOCKER_HOST?: string;
}

/** The steps that ran; the job failed where one of them did. */
export interface JobResult {
  readonly code: number;
  readonly steps: readonly (CommandResult & { readonly name: string })[];
}

export const PULL_REQUEST = '42';

/** What a job runs for, as the service tells its runner. */
export interface Trigger {
  readonly event: string;
  readonly ref: string;
  readonly workflow: string;
}

/** A push to main, for a workflow. */
export function ofMain(workflow: string): Trigger {
  return { event: 'push', ref: 'refs/heads/main', workflow };
}

export const OF_PULL_REQUEST: Trigger = {
  event: 'pull_request',
  ref: `refs/pull/${PULL_REQUEST}/merge`,
  workflow: 'pull-request',
};
const REPOSITORY = 'example/storage';
/** The label of the runner with the secrets. */
const DEPLOY_RUNNER = 'encrypted-backup-storage';

/** Conditions that the pipelines use, as they come out for a pull request of the same repository. */
const CONDITIONS: Readonly<Record<string, (failed: boolean) => boolean>> = {
  'github.event.pull_request.head.repo.full_name == github.repository': () => true,
  "${{ !cancelled() && needs.plan.result != 'skipped' }}": () => true,
  '${{ !cancelled() }}': () => true,
};

/** Lint, types and unit tests take minutes where something else has the processors. */
export const STEP_TIMEOUT_MS = 900_000;

/** Of this run of the tests, not of a runner. */
const NOT_OF_A_RUNNER = /^(?:JEST_|EBS_|NODE_ENV$|NODE_OPTIONS$|npm_|VAULT_)/;

export class PipelineRunner {
  private readonly folder: string;
  private readonly bin: string;
  readonly summary: string;

  /** @param folder for workspaces, artifacts and what `gh` was told */
  constructor(folder: string) {
    this.folder = folder;
    this.bin = path.join(folder, 'bin');
    this.summary = path.join(folder, 'summary.md');
    mkdirSync(this.bin, { recursive: true });
    for (const [name, program] of Object.entries({ gh: FAKE_GH, curl: FAKE_CURL })) {
      writeFileSync(path.join(this.bin, name), program);
      chmodSync(path.join(this.bin, name), 0o755);
    }
  }

  /**
   * A fresh checkout, with what is not committed yet, and with the packages that npm would install.
   *
   * @param only TypeScript files: the checkout has these, what they are made of, and no other. Default: all
   */
  checkout(name: string, only?: readonly string[]): string {
    const workspace = path.join(this.folder, name);
    const part = only === undefined ? undefined : madeOf(only);
    for (const file of filesOfProject()) {
      const from = path.join(projectRoot, file);
      const wanted = part === undefined || !file.endsWith('.ts') || part.has(file);
      if (wanted && existsSync(from)) cpSync(from, path.join(workspace, file));
    }
    const packages = path.join(projectRoot, 'node_modules');
    try {
      // hard links: the same packages, in no time
      execFileSync('cp', ['-al', packages, workspace], { stdio: 'ignore' });
    } catch {
      // the clone and the temporary folder may be on two file systems
      rmSync(path.join(workspace, 'node_modules'), { recursive: true, force: true });
      execFileSync('cp', ['-a', packages, workspace]);
    }
    rmSync(path.join(workspace, 'node_modules', '.cache'), { recursive: true, force: true });
    return workspace;
  }

  /** A job that is wanted on the runner with the secrets is first shown to its hook. */
  async github(
    workspace: string,
    job: GithubJob,
    settings: RepositorySettings,
    { event, ref, workflow }: Trigger,
  ): Promise<JobResult> {
    if (!holds(job.if, false)) throw new Error('the job would not run');
    const expressions: Readonly<Record<string, string>> = {
      'vars.EBS_ENVIRONMENT': settings.EBS_ENVIRONMENT,
      'vars.EBS_STATE_HOME': settings.EBS_STATE_HOME,
      // one that is not set is empty
      'secrets.VAULT_TOKEN': '',
      'secrets.VAULT_WRAPPED_SECRET_ID': '',
      'github.token': 'a-token-for-nothing',
      'github.event.pull_request.number': PULL_REQUEST,
    };
    const resolved = (env: Readonly<Record<string, string>> = {}): Record<string, string> =>
      Object.fromEntries(Object.entries(env).map(([name, value]) => [name, resolve(value, expressions)]));
    const steps: (CommandResult & { name: string })[] = [];
    if (job['runs-on'].includes(DEPLOY_RUNNER)) {
      const hook = readFileSync(path.join(workspace, 'examples', 'github-actions', 'only-main.sh'), 'utf8');
      const result = await this.shell(workspace, ['-e'], hook, {
        GITHUB_REPOSITORY: REPOSITORY,
        GITHUB_EVENT_NAME: event,
        GITHUB_REF: ref,
        GITHUB_WORKFLOW_REF: `${REPOSITORY}/.github/workflows/${workflow}.yml@${ref}`,
      });
      // docs.github.com, "Running scripts before or after a job": the job does not run then
      if (result.code !== 0) return { code: result.code, steps: [{ name: 'Set up runner', ...result }] };
    }
    for (const step of job.steps) {
      const failed = steps.some(({ code }) => code !== 0);
      if (!holds(step.if, failed)) continue;
      if ('uses' in step) {
        this.action(workspace, step);
        continue;
      }
      // docs.github.com, "Workflow syntax", jobs.<job_id>.steps[*].shell: without one it is `bash -e`
      const options = step.shell === 'bash' ? ['-e', '-o', 'pipefail'] : ['-e'];
      const result = await this.shell(workspace, options, step.run, {
        GITHUB_REPOSITORY: REPOSITORY,
        GITHUB_STEP_SUMMARY: this.summary,
        ...(settings.DOCKER_HOST === undefined ? {} : { DOCKER_HOST: settings.DOCKER_HOST }),
        ...resolved(job.env),
        ...resolved(step.env),
      });
      steps.push({ name: step.name, ...result });
    }
    return { code: steps.find(({ code }) => code !== 0)?.code ?? 0, steps };
  }

  async gitlab(workspace: string, job: GitlabJob, settings: RepositorySettings): Promise<JobResult> {
    const env = { ...settings, ...GITLAB_VARIABLES, ...expanded(job.variables ?? {}, { ...settings }) };
    // every entry in one shell, as GitLab does
    const script = (job.script ?? []).join('\n');
    const result = await this.shell(workspace, ['-e', '-o', 'pipefail'], script, env);
    return { code: result.code, steps: [{ name: 'script', ...result }] };
  }

  /** What an artifact was made of. */
  artifact(name: string): string {
    return path.join(this.folder, 'artifacts', name);
  }

  /** Where what is uploaded to GitLab is kept, by the path of its address. */
  package(file: string): string {
    return path.join(
      this.folder,
      'packages',
      'gitlab.example',
      'api',
      'v4',
      'projects',
      '7',
      'packages',
      'generic',
      file,
    );
  }

  /** How `gh` was called, and the text that it was to send last. */
  gh(): { readonly calls: readonly string[]; readonly body: string } {
    const calls = readFileSync(path.join(this.folder, 'gh.log'), 'utf8').trim().split('\n');
    return { calls, body: readFileSync(path.join(this.folder, 'gh.body'), 'utf8') };
  }

  /** The id of the comment that `gh` finds. */
  commentExists(id: string): void {
    writeFileSync(path.join(this.folder, 'gh.comments'), `${id}\n`);
  }

  private action(workspace: string, step: Extract<GithubStep, { uses: string }>): void {
    const action = /^actions\/([\w-]+)@/.exec(step.uses)?.[1];
    const { name, path: file } = (step.with ?? {}) as { name?: string; path?: string };
    // the workspace is a checkout, and Node is there
    if (action === 'checkout' || action === 'setup-node') return;
    if (action === 'upload-artifact' && name !== undefined && file !== undefined) {
      rmSync(this.artifact(name), { recursive: true, force: true });
      const from = path.join(workspace, file);
      cpSync(from, file.endsWith('/') ? this.artifact(name) : path.join(this.artifact(name), file), {
        recursive: true,
      });
    } else if (action === 'download-artifact' && name !== undefined) {
      cpSync(this.artifact(name), workspace, { recursive: true });
    } else throw new Error(`${step.uses} is not stood in for`);
  }

  private async shell(
    workspace: string,
    options: readonly string[],
    script: string,
    env: Readonly<Record<string, string>>,
  ): Promise<CommandResult> {
    const file = path.join(this.folder, 'step.sh');
    writeFileSync(file, script);
    const away = Object.keys(process.env).filter((name) => NOT_OF_A_RUNNER.test(name));
    return runCommand('bash', ['--noprofile', '--norc', ...options, file], {
      cwd: workspace,
      transcript: path.join(this.folder, 'transcript.txt'),
      timeoutMs: STEP_TIMEOUT_MS,
      env: {
        ...Object.fromEntries(away.map((name) => [name, undefined])),
        CI: 'true',
        FAKE_GH: path.join(this.folder, 'gh'),
        FAKE_ARTIFACTS: path.join(this.folder, 'artifacts'),
        FAKE_PACKAGES: path.join(this.folder, 'packages'),
        ...env,
        PATH: `${this.bin}${path.delimiter}${process.env.PATH ?? ''}`,
      },
    });
  }
}

/** What git knows, and what it would be told of next. */
export function filesOfProject(): string[] {
  const git = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  return execFileSync('git', git, { cwd: projectRoot, encoding: 'utf8' }).split('\0').filter(Boolean);
}

/** Files of the project and all that they import, be it a type only. */
function madeOf(files: readonly string[]): ReadonlySet<string> {
  const all = new Set(files);
  // what is added meanwhile comes up, too
  for (const file of all) {
    const { importedFiles } = preProcessFile(readFileSync(path.join(projectRoot, file), 'utf8'));
    for (const { fileName } of importedFiles) {
      if (!fileName.startsWith('.')) continue;
      const imported = path.join(path.dirname(file), fileName.replace(/\.js$/, ''));
      for (const candidate of [`${imported}.ts`, path.join(imported, 'index.ts')]) {
        if (existsSync(path.join(projectRoot, candidate))) all.add(candidate);
      }
    }
  }
  return all;
}

const GITLAB_VARIABLES = {
  CI_JOB_TOKEN: 'a-token-for-nothing',
  CI_API_V4_URL: 'https://gitlab.example/api/v4',
  CI_PROJECT_ID: '7',
};

const FAKE_CURL = `#!/usr/bin/env bash
# keeps what it is to upload by its address, and gives it back
set -eu
for last; do :; done
kept=$FAKE_PACKAGES/\${last#https://}
while [ $# -gt 1 ]; do
  case $1 in
    --upload-file) mkdir -p "\${kept%/*}"; cp "$2" "$kept"; shift 2 ;;
    --output) cp "$kept" "$2"; shift 2 ;;
    --header) [ "$2" = "JOB-TOKEN: a-token-for-nothing" ]; shift 2 ;;
    *) shift ;;
  esac
done
`;

const FAKE_GH = `#!/usr/bin/env bash
# writes down how it was called, keeps the text that it was to send, and finds the comment that the test says exists, the
# runs of the last deploys: one that waits, without artifacts, and one that has them
set -eu
printf '%s\\n' "$*" >> "$FAKE_GH.log"
for argument; do
  case $argument in body=@*) cp "\${argument#body=@}" "$FAKE_GH.body" ;; esac
done
case "$*" in
  'run list '*) printf '%s\\n' 4712 4711 ;;
  'run download 4712 '*) echo 'no valid artifacts found to download' >&2 && exit 1 ;;
  'run download 4711 '*) cp "$FAKE_ARTIFACTS/$7/"* . ;;
  *--paginate*) if [ -f "$FAKE_GH.comments" ]; then cat "$FAKE_GH.comments"; fi ;;
esac
`;

/** A step without a condition runs when none before it has failed. */
function holds(condition: string | undefined, failed: boolean): boolean {
  if (condition === undefined) return !failed;
  const known = CONDITIONS[condition];
  if (known === undefined) throw new Error(`the condition ${condition} is not known`);
  return known(failed);
}

function resolve(value: string, expressions: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
    const known = expressions[expression];
    if (known === undefined) throw new Error(`the expression ${expression} is not known`);
    return known;
  });
}

function expanded(
  variables: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      value.replaceAll(/\$(\w+)/g, (_, variable: string) => settings[variable] ?? ''),
    ]),
  );
}
