import { operationInputs } from '../../config/operation-inputs';
import { stateLayout } from '../../config/state/layout';
import {
  AWS,
  containersOf,
  EVERYTHING,
  EXTERNAL,
  FILESYSTEM,
  FROM_REGISTRY,
  REGISTRY,
  servicesOf,
  stackOf,
  type Stacks,
  STATE_ROOT,
  synthDeployment,
  type Variation,
} from '../helpers/deployment';
import type { Block } from '../helpers/synth';

/** Every variation that differs in what is declared. */
const VARIATIONS: readonly (readonly [string, Variation])[] = [
  ['everything in containers', { environment: EVERYTHING }],
  [
    'manual unsealing',
    { environment: 'name: local\nvault: { mode: embedded, unseal: manual, shares: 3, threshold: 2 }' },
  ],
  ['registry images', { environment: `name: local\n${FROM_REGISTRY}`, toolchain: REGISTRY }],
  ['an external Vault', { environment: EXTERNAL }],
  ['keys as files', { environment: FILESYSTEM }],
  ['keys in AWS', { environment: AWS }],
  [
    'certificates of one’s own',
    { environment: 'name: local\ntls: { mode: files, certificate: /etc/s3.crt, privateKey: /etc/s3.key }' },
  ],
];

describe.each(VARIATIONS)('always: %s', (_, variation) => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment(variation);
  });

  test('every service is hardened', () => {
    expect(servicesOf(stacks).length).toBeGreaterThanOrEqual(2);
    for (const service of servicesOf(stacks)) {
      expect(service).toMatchObject({
        user: '65532:65532',
        read_only: true,
        capabilities: { drop: ['ALL'] },
        security_opts: ['no-new-privileges'],
        memory: expect.any(Number) as number,
        memory_swap: service.memory,
        ulimit: [expect.objectContaining({ name: 'nproc' })],
        restart: 'always',
        log_opts: { 'max-size': '10m', 'max-file': '5' },
      });
      expect(service).not.toHaveProperty('capabilities.add');
      expect(service).not.toHaveProperty('privileged');
      expect(service).not.toHaveProperty('network_mode', 'host');
    }
  });

  test('every server has a health check, and time to stop', () => {
    for (const service of servicesOf(stacks).filter(({ ports }) => (ports as Block[]).length > 0)) {
      expect(service).toHaveProperty('healthcheck.test');
      expect(service.stop_timeout).toBeGreaterThanOrEqual(/-(vault|minio)$/.test(String(service.name)) ? 30 : 10);
    }
  });

  test('what runs once and ends has no network', () => {
    const helpers = containersOf(stacks).filter((container) => !servicesOf(stacks).includes(container));
    expect(helpers.length).toBeGreaterThan(0);
    for (const helper of helpers) {
      expect(helper.network_mode).toBe('none');
      if (helper.start !== false) {
        expect(helper).toMatchObject({
          capabilities: { drop: ['ALL'], add: ['CAP_CHOWN'] },
          security_opts: ['no-new-privileges'],
          read_only: true,
        });
      }
    }
  });

  test('every port is published on this machine alone', () => {
    const ports = servicesOf(stacks).flatMap(({ ports: published }) => published as Block[]);
    expect(ports.length).toBeGreaterThanOrEqual(2);
    for (const port of ports) expect(port.ip).toBe('127.0.0.1');
  });

  test('every container, volume and network says to which environment it belongs', () => {
    const label = { label: 'encrypted-backup-storage.environment', value: 'local' };
    for (const stack of Object.values(stacks)) {
      for (const type of ['docker_container', 'docker_volume', 'docker_network']) {
        for (const resource of Object.values(stack.resources(type))) {
          expect(resource.labels).toContainEqual(label);
          expect(resource.name).toMatch(/^ebs-local(-|$)/);
        }
      }
    }
  });

  test('every operation is told what it can read', () => {
    for (const stack of Object.values(stacks)) {
      for (const { command, input } of stack.operations()) {
        const name = command.replace(/^.* /, '') as keyof typeof operationInputs;
        expect(Object.keys(operationInputs)).toContain(name);
        expect(operationInputs[name].parse(input)).toEqual(input);
      }
    }
  });

  test('no other secret is made before the marker by which lost ones are noticed', () => {
    const { secrets } = stateLayout('local', STATE_ROOT);
    const makers = stackOf(stacks, 'foundation')
      .operations()
      .filter(({ input }) => JSON.stringify(input).includes(secrets));
    const others = makers.filter(({ command }) => !command.endsWith(' issue-certificates'));
    expect(others.length).toBe(makers.length - 1);
    for (const { dependsOn } of others) {
      expect(dependsOn).toContainEqual(expect.stringMatching(/^terraform_data\.Certificates_Issue_/));
    }
  });

  test('no secret is in what Terraform reads', () => {
    const { secrets } = stateLayout('local', STATE_ROOT);
    for (const { text } of Object.values(stacks)) {
      expect(text).not.toMatch(/PRIVATE KEY|\bhv[sbr]\.|\bs\.[A-Za-z0-9]{24}\b|AppRole.*secret_id/);
    }
    for (const { env = [] } of servicesOf(stacks)) {
      for (const variable of env as string[]) {
        expect(variable).not.toMatch(/^[^=]*(PASSWORD|SECRET|TOKEN|ACCESS_KEY|API_KEY|ROOT_USER|CREDENTIAL)[^=]*=/);
      }
    }
    for (const { upload = [] } of containersOf(stacks)) {
      for (const { file, source, content } of upload as Block[]) {
        if (!/\.key$|config\.env$|server-config\.yaml$|unseal-share/.test(String(file))) continue;
        expect(content).toBeUndefined();
        expect(String(source).startsWith(`${secrets}/`)).toBe(true);
      }
    }
  });

  test('the next synth is the same, byte for byte, whenever it is', () => {
    jest.useFakeTimers({ now: new Date('2042-01-01T00:00:00Z') });
    try {
      const again = synthDeployment(variation);
      for (const [name, { text }] of Object.entries(stacks)) expect(stackOf(again, name).text).toBe(text);
    } finally {
      jest.useRealTimers();
    }
  });
});
