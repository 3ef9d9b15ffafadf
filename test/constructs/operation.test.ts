import { TerraformOutput } from 'cdktf';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Operation } from '../../constructs/operation';
import { newStack, synth } from '../helpers/synth';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { planned, terraformIsThere } from '../helpers/terraform';

const folder = useTemporaryFolder();
const RUNNER = { program: '/project/operations/run' };

test('an operation with minimal properties runs when it is created and when its input changes', () => {
  // GIVEN
  const stack = newStack();
  const input = { configEnvFile: '/state/secrets/config.env', rootFile: '/state/secrets/root.json' };

  // WHEN
  new Operation(stack, 'Root', { runner: RUNNER, operation: 'create-root-credentials', input });

  // THEN
  expect(synth(stack).operation('create-root-credentials')).toEqual({
    command: "'/project/operations/run' create-root-credentials",
    input,
    triggers: {},
    variables: {},
    dependsOn: [],
  });
});

test('an operation with maximal properties runs again for its triggers and when its renewal is due', () => {
  // GIVEN
  const stack = newStack();
  const first = new Operation(stack, 'First', {
    runner: RUNNER,
    operation: 'create-root-credentials',
    input: { configEnvFile: '/a', rootFile: '/b' },
  });

  // WHEN
  new Operation(stack, 'Second', {
    runner: { ...RUNNER, variables: { DOCKER_HOST: 'ssh://nas' } },
    operation: 'run-checks',
    input: {},
    triggers: { first: first.runId },
    renewal: { note: '/state/note.json' },
    dependsOn: [first.dependable],
  });

  // THEN
  const { triggers, variables, dependsOn } = synth(stack).operation('run-checks');
  expect(variables).toEqual({ DOCKER_HOST: 'ssh://nas' });
  expect(triggers.first).toMatch(/^\$\{terraform_data\.First_.*\.id\}$/);
  expect(triggers.generation).toContain('jsondecode(file("/state/note.json")).generation');
  expect(dependsOn).toEqual([expect.stringMatching(/^terraform_data\.First/)]);
});

(terraformIsThere ? test : test.skip)('what an operation is told is text to Terraform, whatever is in it', () => {
  // GIVEN
  const stack = newStack();
  const rootFile = '/e/${path.root} %{ if true }"quoted"\\back\n${}é.json';
  const variables = { FILE: rootFile };

  // WHEN
  new Operation(stack, 'Credentials', {
    runner: { ...RUNNER, variables },
    operation: 'create-root-credentials',
    input: { configEnvFile: '/a', rootFile },
  });

  // THEN
  const synthesized = synth(stack);
  const { input } = synthesized.resource('terraform_data').triggers_replace as Record<string, string>;
  const { FILE = '' } = synthesized.operation('create-root-credentials').variables;
  const told = planned(folder(), { input: input ?? '', FILE });
  expect(JSON.parse(String(told.input))).toEqual({ configEnvFile: '/a', rootFile });
  expect(told.FILE).toBe(rootFile);
});

(terraformIsThere ? test : test.skip)('the program is one word of the shell, whatever is in its path', () => {
  // GIVEN a program in a folder whose name is hostile to shells and to Terraform
  const program = path.join(folder(), `it's "here" \${HOME} %{ if true } $(false) ; x`, 'run');
  mkdirSync(path.dirname(program));
  writeFileSync(program, '#!/bin/sh\nprintf "%s %s" "$0" "$1"\n', { mode: 0o700 });
  const stack = newStack();

  // WHEN
  new Operation(stack, 'Root', {
    runner: { program },
    operation: 'create-root-credentials',
    input: { configEnvFile: '/a', rootFile: '/b' },
  });

  // THEN
  const { command } = synth(stack).operation('create-root-credentials');
  const told = planned(folder(), { command });
  expect(execFileSync('/bin/sh', ['-c', String(told.command)], { encoding: 'utf8' })).toBe(
    `${program} create-root-credentials`,
  );
});

test('settings that are not there are not passed', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new Operation(stack, 'Buckets', {
    runner: RUNNER,
    operation: 'provision-buckets',
    input: {
      endpoint: { url: 'https://s3', caFile: undefined },
      region: 'r',
      operationsFile: '/o',
      iamFile: '/i',
      buckets: [],
      denySseC: false,
    },
  });

  // THEN
  expect(synth(stack).operation('provision-buckets').input).toEqual({
    endpoint: { url: 'https://s3' },
    region: 'r',
    operationsFile: '/o',
    iamFile: '/i',
    buckets: [],
    denySseC: false,
  });
});

test('each run has an id of its own, for whoever must follow it', () => {
  // GIVEN
  const stack = newStack();
  const operation = new Operation(stack, 'Checks', {
    runner: RUNNER,
    operation: 'run-checks',
    input: {},
  });

  // WHEN
  new TerraformOutput(stack, 'run', { value: operation.runId, staticId: true });

  // THEN
  expect(synth(stack).output('run').value).toMatch(/^\$\{terraform_data\.Checks_.*\.id\}$/);
});

test('with a journal an operation runs again after it was cut short, and is told where to note it', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new Operation(stack, 'Checks', {
    runner: { ...RUNNER, journal: '/state/operations' },
    operation: 'run-checks',
    input: {},
  });

  // THEN
  const { triggers, variables } = synth(stack).operation('run-checks');
  const file = `/state/operations/${stack.node.path}.Checks`;
  expect(variables).toEqual({ EBS_OPERATION_JOURNAL: file });
  expect(triggers).toEqual({ interrupted: expect.stringContaining(`fileexists("${file}.running")`) as string });
});
