/** What relates the settings of several hosts to each other and to the rest of an environment. */
import { needsTls, PLAIN_TCP_PROBLEM, takesCertificates } from '../docker/docker-engine';
import { isLoopback, meansEveryAddress } from '../docker/reachable';
import type { Environment, HostSettings } from '../environment';
import type { Problem } from './problem';
import { drivesOfHost, MOST_DRIVES, parityOf, setSize } from '../minio/parity';
import { DEFAULT_NODE_PORT, poolsOf, VAULT_CLUSTER_PORT, VAULT_COUNTS } from '../node';
import { declaredSeal } from '../vault/seal';
import { embeddedVault } from '../vault/vault';

/** With fewer, the loss of one leaves no majority. */
const FEWEST_HOSTS = 3;

export function hostRules(environment: Environment): Problem[] {
  const { hosts } = environment;
  if (hosts === undefined) return settingsOfSeveralHosts(environment);
  if (hosts.length < FEWEST_HOSTS) {
    const message = `must be ${FEWEST_HOSTS} hosts or more: of two none can tell the loss of the other from that of the network, and the one that is left has no majority`;
    const fix = 'name three hosts, or write docker.host for one';
    return [{ path: ['hosts'], message, fix, other: [] }];
  }
  return [
    ...hosts.flatMap((host, index) => hostProblems(host, index, hosts)),
    ...settingsOfOneHost(environment),
    ...vaultRules(environment, hosts),
    ...portRules(environment),
    ...imageRules(environment),
    ...poolRules(environment, hosts.length),
  ];
}

/** What is of no use to one host. */
function settingsOfSeveralHosts(environment: Environment): Problem[] {
  const { minio, balancer } = environment;
  const vaultHosts = embeddedVault(environment)?.hosts;
  const refuse = (path: Problem['path'], why: string): Problem => {
    return { path, message: `must not be given without hosts: ${why}`, fix: 'remove it', other: ['hosts'] };
  };
  return [
    ...(minio.nodePort === undefined ? [] : [refuse(['minio', 'nodePort'], 'one MinIO has no others to reach')]),
    ...(minio.pools === undefined ? [] : [refuse(['minio', 'pools'], 'one host is one pool')]),
    ...(balancer === undefined ? [] : [refuse(['balancer'], 'one host has no balancer')]),
    ...(vaultHosts === undefined ? [] : [refuse(['vault', 'hosts'], 'the only one has the Vault')]),
  ];
}

function vaultRules(environment: Environment, hosts: readonly HostSettings[]): Problem[] {
  const vault = embeddedVault(environment);
  if (vault === undefined) return [];
  const neverTried = (setting: string, must: string, what: string, fix: string): Problem => {
    return { path: ['vault', setting], message: `${must} with hosts: ${what} was never tried`, fix, other: ['hosts'] };
  };
  return [
    ...(declaredSeal(vault) === undefined
      ? []
      : [neverTried('unseal', 'must be auto or manual', 'a seal of several Vaults', 'write auto')]),
    ...(vault.distribution === 'vault'
      ? []
      : [neverTried('distribution', 'must be vault', 'a Raft of several OpenBaos', 'remove it')]),
    ...(vault.hosts === undefined ? [] : placeRules(vault.hosts, hosts)),
  ];
}

/** On which hosts the Vaults are. */
function placeRules(named: readonly string[], hosts: readonly HostSettings[]): Problem[] {
  const names = hosts.map(({ name }) => name);
  const problems = named.flatMap((name, index): Problem[] => {
    const at = { path: ['vault', 'hosts', index], other: ['hosts'] };
    if (!names.includes(name)) {
      const message = `must be the name of a host (${names.join(', ')})`;
      return [{ ...at, message, fix: 'name one of hosts' }];
    }
    if (named.indexOf(name) === index) return [];
    return [{ ...at, message: 'must be named once', fix: 'name another host' }];
  });
  if (VAULT_COUNTS.includes(named.length)) return problems;
  const message = 'must be three hosts or five: Raft needs a majority, and one host more bears no further loss';
  return [...problems, { path: ['vault', 'hosts'], message, fix: 'name three or five of hosts', other: ['hosts'] }];
}

function imageRules({ images }: Environment): Problem[] {
  if (images.source !== 'registry' || images.haproxy !== undefined) return [];
  const message = 'must be given with hosts: each has a balancer';
  return [{ path: ['images', 'haproxy'], message, fix: 'name an image of HAProxy with its digest', other: ['hosts'] }];
}

function hostProblems(host: HostSettings, index: number, hosts: readonly HostSettings[]): Problem[] {
  const at = (setting: keyof HostSettings): Problem['path'] => ['hosts', index, setting];
  const problems: Problem[] = [];
  const differs = (setting: 'name' | 'docker' | 'address', what: string) => {
    const first = hosts.findIndex((other) => other[setting] === host[setting]);
    if (first === index) return;
    const message = `must differ from hosts[${first}].${setting}: ${what}`;
    problems.push({ path: at(setting), message, fix: 'correct it', other: ['hosts', first, setting] });
  };
  differs('name', 'two hosts have two names');
  differs('docker', 'two entries for one engine are one host, and are lost together');
  differs('address', 'the others would take two hosts for one');
  if (meansEveryAddress(host.address) || isLoopback(host.address)) {
    const message = 'must be an address by which other hosts reach it';
    problems.push({ path: at('address'), message, fix: 'name that of its network', other: [] });
  }
  if (host.certificates === undefined && needsTls(host.docker)) {
    const fix = `name a folder with ca.pem, cert.pem and key.pem in hosts[${index}].certificates, or use ssh://`;
    problems.push({ path: at('docker'), message: PLAIN_TCP_PROBLEM, fix, other: at('certificates') });
  }
  if (host.certificates !== undefined && !takesCertificates(host.docker)) {
    const message = `must begin with tcp:// where hosts[${index}].certificates is given`;
    const fix = 'remove the certificates, or write such an address';
    problems.push({ path: at('docker'), message, fix, other: at('certificates') });
  }
  return problems;
}

/** What says where one host is, or needs one. */
function settingsOfOneHost(environment: Environment): Problem[] {
  const { docker, kes, keyStore } = environment;
  const vault = embeddedVault(environment);
  const problems: Problem[] = [];
  const refuse = (path: Problem['path'], why: string, fix = 'remove it') => {
    problems.push({ path, message: `must not be given with hosts: ${why}`, fix, other: ['hosts'] });
  };
  if (docker.host !== undefined) refuse(['docker', 'host'], 'each host names its own engine');
  if (docker.certPath !== undefined) refuse(['docker', 'certPath'], 'each host names its own certificates');
  const onEachHost = 'each publishes on its own address';
  const { publishAddress } = docker;
  if (publishAddress !== DEFAULT_ADDRESS && !meansEveryAddress(publishAddress)) {
    refuse(['docker', 'publishAddress'], onEachHost, 'remove it, or write 0.0.0.0');
  }
  if (kes.publishAddress !== DEFAULT_ADDRESS) refuse(['kes', 'publishAddress'], onEachHost);
  if (vault !== undefined && vault.publishAddress !== DEFAULT_ADDRESS) refuse(['vault', 'publishAddress'], onEachHost);
  if (keyStore.type === 'filesystem') {
    const message = 'must not be filesystem with hosts: each KES would have master keys of its own';
    problems.push({
      path: ['keyStore', 'type'],
      message,
      fix: 'keep the master keys in Vault or AWS',
      other: ['hosts'],
    });
  }
  return problems;
}

/** What a setting says that was not written. */
const DEFAULT_ADDRESS = '127.0.0.1';

/** Ports that are published on the address of each host. */
function portRules(environment: Environment): Problem[] {
  const { kes, minio } = environment;
  const vault = embeddedVault(environment);
  const nodePort = { path: ['minio', 'nodePort'], port: minio.nodePort ?? DEFAULT_NODE_PORT };
  const others = [
    { path: ['minio', 'port'], port: minio.port },
    { path: ['kes', 'port'], port: kes.port },
    ...(vault === undefined ? [] : [{ path: ['vault', 'port'], port: vault.port }]),
  ];
  const problems = others.flatMap(({ path, port }): Problem[] => {
    if (port !== nodePort.port) return [];
    const message = `must differ from ${path.join('.')}, which is published on the same address`;
    return [{ path: nodePort.path, message, fix: 'choose another port', other: path }];
  });
  if (vault === undefined) return problems;
  const clash = [...others, nodePort].filter(({ port }) => port === VAULT_CLUSTER_PORT);
  return [
    ...problems,
    ...clash.map(({ path }): Problem => {
      const message = `must not be ${VAULT_CLUSTER_PORT}, by which the Vaults of several hosts reach each other`;
      return { path, message, fix: 'choose another port', other: ['hosts'] };
    }),
  ];
}

function poolRules(environment: Environment, hosts: number): Problem[] {
  const pools = poolsOf(environment);
  const path = ['minio', 'pools'];
  if (pools.some((count) => count < FEWEST_HOSTS)) {
    const message = `must be ${FEWEST_HOSTS} hosts or more each: an object is in one pool, which must bear the loss of a host`;
    return [{ path, message, fix: 'give the pool more hosts', other: ['hosts'] }];
  }
  const sum = pools.reduce((total, count) => total + count, 0);
  if (sum !== hosts) {
    const message = `must be as many hosts together as there are in hosts (${hosts})`;
    return [{ path, message, fix: 'correct the number of hosts of a pool', other: ['hosts'] }];
  }
  // what is wrong with two pools alike is said once
  return [...new Set(pools)].flatMap((count) => erasureRules(environment, count));
}

/** MinIO spreads each object over the hosts of a pool, so that any one of them may be lost. */
function erasureRules(environment: Environment, hosts: number): Problem[] {
  const { minio } = environment;
  const { drives } = minio;
  const count = typeof drives === 'number' ? drives : drives.length;
  if (count < 1 || count > MOST_DRIVES) {
    const message = `must be 1 to ${MOST_DRIVES} on each host`;
    return [{ path: ['minio', 'drives'], message, fix: 'declare another number of drives', other: ['hosts'] }];
  }
  const size = setSize({ drives }, hosts);
  if (size === undefined) {
    const message = `must be a number that MinIO can spread evenly: ${hosts} hosts with ${count} drives make no erasure sets of 2 to 16`;
    return [{ path: ['hosts'], message, fix: 'declare a host more or less', other: ['minio', 'drives'] }];
  }
  const forParity = { path: ['minio', 'parity'], other: ['minio', 'drives'] };
  const most = Math.floor(size / 2);
  const parity = parityOf(minio, poolsOf(environment)[0]);
  if (parity > most) {
    const byFirst = minio.parity === undefined ? ` in each pool, and is ${parity} by the first one` : '';
    const message = `must be at most half of an erasure set (${most} of ${size} drives)${byFirst}`;
    return [{ ...forParity, message, fix: `write ${most} or less` }];
  }
  const ofOneHost = drivesOfHost(size, hosts);
  if (parity < ofOneHost) {
    const message = `must be at least ${ofOneHost}, the drives that one host has in each erasure set of ${size}, or its loss stops MinIO`;
    return [{ ...forParity, message, fix: `write ${ofOneHost} or more` }];
  }
  return [];
}
