/** Reads the pipelines of examples/ as their services do, as far as they use it; what they use besides is an error. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../../operations/lib/project-root';

const variables = z.record(z.string(), z.string());
const permissions = z.record(z.string(), z.enum(['read', 'write', 'none']));
const concurrency = z.strictObject({ group: z.string(), 'cancel-in-progress': z.boolean() });

const shell = z.literal('bash');
const githubStep = z.union([
  z.strictObject({
    name: z.string(),
    if: z.string().optional(),
    run: z.string(),
    shell: shell.optional(),
    env: variables.optional(),
  }),
  z.strictObject({ uses: z.string(), if: z.string().optional(), with: z.record(z.string(), z.unknown()).optional() }),
]);
export type GithubStep = z.infer<typeof githubStep>;

const githubWorkflow = z.strictObject({
  name: z.string(),
  on: z.union([z.string(), z.record(z.string(), z.unknown())]),
  permissions,
  defaults: z.strictObject({ run: z.strictObject({ shell }) }).optional(),
  concurrency,
  jobs: z.record(
    z.string(),
    z.strictObject({
      needs: z.string().optional(),
      if: z.string().optional(),
      'runs-on': z.union([z.string(), z.array(z.string())]),
      environment: z.string().optional(),
      'timeout-minutes': z.number(),
      permissions: permissions.optional(),
      env: variables.optional(),
      steps: z.array(githubStep),
    }),
  ),
});
export type GithubWorkflow = z.infer<typeof githubWorkflow>;
export type GithubJob = GithubWorkflow['jobs'][string];

const gitlabJob = z.strictObject({
  extends: z.string().optional(),
  stage: z.string().optional(),
  image: z.string().optional(),
  tags: z.array(z.string()).optional(),
  variables: variables.optional(),
  timeout: z.string().optional(),
  interruptible: z.boolean().optional(),
  resource_group: z.string().optional(),
  environment: z.string().optional(),
  rules: z.array(z.strictObject({ if: z.string(), when: z.literal('manual').optional() })).optional(),
  script: z.array(z.string()).optional(),
  artifacts: z
    .strictObject({
      when: z.literal('always'),
      expire_in: z.string(),
      paths: z.array(z.string()),
      reports: z.strictObject({ junit: z.string().optional(), terraform: z.string().optional() }),
    })
    .optional(),
});
export type GitlabJob = z.infer<typeof gitlabJob>;

export const GITHUB_WORKFLOWS = ['pull-request', 'deploy', 'drift', 'nightly'] as const;
export type GithubWorkflowName = (typeof GITHUB_WORKFLOWS)[number];

const GITHUB_FOLDER = path.join(projectRoot, 'examples', 'github-actions');
const GITLAB_FILE = path.join(projectRoot, 'examples', 'gitlab-ci', '.gitlab-ci.yml');

export function githubText(name: GithubWorkflowName): string {
  return readFileSync(path.join(GITHUB_FOLDER, `${name}.yml`), 'utf8');
}

/** The workflow, its steps with the shell that it says for all. */
export function readGithub(name: GithubWorkflowName): GithubWorkflow {
  const workflow = githubWorkflow.parse(parse(githubText(name)));
  const jobs = Object.entries(workflow.jobs).map(([job, { steps, ...more }]) => [
    job,
    { ...more, steps: steps.map((step) => ('run' in step ? { ...workflow.defaults?.run, ...step } : step)) },
  ]);
  return { ...workflow, jobs: Object.fromEntries(jobs) as GithubWorkflow['jobs'] };
}

/** The jobs with what they inherit. */
export function readGitlab(): Readonly<Record<string, GitlabJob>> {
  const { stages, workflow, ...rest } = parse(readFileSync(GITLAB_FILE, 'utf8'), { merge: true }) as Record<
    string,
    unknown
  >;
  z.array(z.string()).parse(stages);
  z.strictObject({ rules: z.array(z.strictObject({ if: z.string() })) }).parse(workflow);
  const all = z.record(z.string(), gitlabJob).parse(rest);
  return Object.fromEntries(
    Object.entries(all)
      .filter(([name]) => !name.startsWith('.'))
      .map(([name, job]) => [name, { ...(job.extends === undefined ? {} : all[job.extends]), ...job }]),
  );
}
