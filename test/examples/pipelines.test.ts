import { GITHUB_WORKFLOWS, githubText, readGithub, readGitlab } from '../helpers/pipelines';

/** What needs the toolchain, and a cache that outlives a job. */
const NEEDS_OWN_RUNNER = /\.\/scripts\/(?:up|plan|check)/;
/** What only the machine with the secrets can do. */
const USES_SECRETS = /\.\/scripts\/(?:up|check|plan (?!"\$EBS_ENVIRONMENT" --from ))/;

/** The workflows that do. */
const WITH_SECRETS: readonly string[] = ['deploy', 'drift'];

/** Values that somebody from outside may have written: they are data for a command and never part of one. */
const EXPRESSION = /\$\{\{/;

describe.each(GITHUB_WORKFLOWS)('GitHub: %s.yml', (name) => {
  const workflow = readGithub(name);
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps);

  test('every action is pinned by its whole commit, with the version beside it', () => {
    const lines = githubText(name)
      .split('\n')
      .filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(lines).toHaveLength(steps.filter((step) => 'uses' in step).length);
    for (const line of lines) {
      expect(line).toMatch(
        /uses: actions\/(?:checkout|setup-node|upload-artifact|download-artifact)@[0-9a-f]{40} # v\d+\.\d+\.\d+$/,
      );
    }
  });

  test('nothing may write but the job that comments, and only that', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const more: Record<string, unknown> = {
      comment: { 'pull-requests': 'write' },
      plan: { contents: 'read', actions: 'read' },
    };
    for (const [job, { permissions }] of jobs) expect(permissions).toEqual(more[job]);
  });

  test('nothing of an event is part of a command', () => {
    for (const step of steps) if ('run' in step) expect(step.run).not.toMatch(EXPRESSION);
  });

  test('no command of a pipe fails unseen: GitHub’s shell has pipefail only where it is named', () => {
    for (const step of steps) if ('run' in step) expect(step.shell).toBe('bash');
  });

  test('no pull request of a stranger gets to the secrets', () => {
    // it runs in the name of the repository, with what the pull request brought
    expect(JSON.stringify(workflow.on)).not.toMatch(/pull_request_target|workflow_run/);
    for (const [, job] of jobs) {
      const onOwnRunner = Array.isArray(job['runs-on']);
      if (job.steps.some((step) => 'run' in step && NEEDS_OWN_RUNNER.test(step.run))) expect(onOwnRunner).toBe(true);
      if (!WITH_SECRETS.includes(name)) {
        expect(JSON.stringify(job)).not.toContain('secrets.');
        expect(JSON.stringify(job)).not.toContain('EBS_STATE_HOME');
        expect(job['runs-on']).toEqual(
          onOwnRunner ? ['self-hosted', 'encrypted-backup-storage-plan'] : 'ubuntu-latest',
        );
        if (name === 'pull-request' && onOwnRunner) {
          expect(job.if).toBe('github.event.pull_request.head.repo.full_name == github.repository');
        }
      } else {
        expect(job['runs-on']).toEqual(['self-hosted', 'encrypted-backup-storage']);
        expect(job.environment).toBeDefined();
      }
    }
  });

  test('every job ends in time, and no checkout leaves its token', () => {
    for (const [, job] of jobs) {
      expect(job['timeout-minutes']).toBeLessThanOrEqual(name === 'nightly' ? 180 : 60);
      const checkouts = job.steps.filter((step) => 'uses' in step && step.uses.startsWith('actions/checkout@'));
      for (const step of checkouts) expect(step).toMatchObject({ with: { 'persist-credentials': false } });
    }
    expect(workflow.concurrency['cancel-in-progress']).toBe(name === 'pull-request');
  });
});

describe('GitLab', () => {
  const jobs = Object.entries(readGitlab());

  test('has the same jobs', () => {
    expect(jobs.map(([name]) => name)).toEqual(['test', 'plan', 'deploy', 'drift']);
  });

  test('only jobs of the default branch get to the secrets, and no own runner is for a fork', () => {
    for (const [name, job] of jobs) {
      const needsSecrets = (job.script ?? []).some((line) => USES_SECRETS.test(line));
      expect(needsSecrets).toBe(WITH_SECRETS.includes(name));
      const tag = needsSecrets ? 'encrypted-backup-storage' : 'encrypted-backup-storage-plan';
      expect(job.tags).toEqual(name === 'test' ? undefined : [tag]);
      expect(JSON.stringify(job).includes('EBS_STATE_HOME')).toBe(needsSecrets);
    }
    expect(readGitlab().plan?.rules).toEqual([
      { if: '$CI_PIPELINE_SOURCE == "merge_request_event" && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID' },
    ]);
  });

  test('nothing of a merge request is part of a command', () => {
    for (const [, job] of jobs)
      for (const line of job.script ?? []) expect(line).not.toMatch(/CI_(?:MERGE_REQUEST|COMMIT)/);
  });

  test('every job ends in time, and a deploy is one at a time and not interrupted', () => {
    for (const [, job] of jobs) expect(job.timeout).toMatch(/^(?:20|30) minutes$|^1 hour$/);
    expect(readGitlab().deploy).toMatchObject({ resource_group: '$EBS_ENVIRONMENT', interruptible: false });
  });

  test('what a job says it leaves is where its commands put it', () => {
    const { plan, deploy, drift } = readGitlab();
    expect(plan?.artifacts?.reports).toEqual({ terraform: 'plan-numbers.json' });
    for (const job of [deploy, drift]) expect(job?.artifacts?.reports).toEqual({ junit: 'reports/checks.xml' });
  });
});
