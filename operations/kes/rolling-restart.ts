/** Restarts a container while a second one of its kind answers under its name. */
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { SEEN_WITHIN_MS } from '../../config/haproxy/balancer-configuration';
import { type NodeServer, standbyOf } from '../../config/node';
import { waitUntilHealthy } from '../docker/docker';

/**
 * Restarts a stateless server that others reach by an alias of its networks, without a moment in which no server answers
 * there. Every connection to it is closed and made anew, with all that belongs to a connection: TLS sessions, and the
 * identity that a client showed when it began.
 */
export async function rollingRestart(
  docker: Docker,
  { container: name, alias }: Pick<NodeServer, 'container' | 'alias'>,
): Promise<void> {
  const original = docker.getContainer(name);
  // one that a kill has left is removed when the rolling restart is begun again
  const standbyName = standbyOf(name);
  await remove(docker, standbyName);
  const { Config, HostConfig, Image, NetworkSettings } = await original.inspect();
  const [first = '', ...others] = Object.keys(NetworkSettings.Networks);
  const standby = await docker.createContainer({
    name: standbyName,
    Image,
    User: Config.User,
    Env: Config.Env,
    Labels: Config.Labels,
    ...(Config.Entrypoint === undefined ? {} : { Entrypoint: Config.Entrypoint }),
    Cmd: Config.Cmd,
    ...(Config.Healthcheck === undefined ? {} : { Healthcheck: Config.Healthcheck }),
    HostConfig: { ...HostConfig, NetworkMode: first, PortBindings: {}, RestartPolicy: { Name: 'no' } },
    // engines before API 1.44 take no more than one here
    NetworkingConfig: { EndpointsConfig: { [first]: { Aliases: [alias] } } },
  });
  try {
    for (const network of others) {
      await docker.getNetwork(network).connect({ Container: standby.id, EndpointConfig: { Aliases: [alias] } });
    }
    await standby.start();
    await waitUntilHealthy(standby, standbyName);
    await restart(original, name);
    await standby.stop({ t: STOP_SECONDS });
  } finally {
    await remove(docker, standbyName);
  }
}

/** Restarts one of several that balancers lead to, and waits until they lead to it again. */
export async function restartBalanced(
  docker: Docker,
  { container: name }: Pick<NodeServer, 'container'>,
): Promise<void> {
  await restart(docker.getContainer(name), name);
  // no balancer tells what it has seen
  await delay(SEEN_WITHIN_MS);
}

async function restart(container: Docker.Container, name: string): Promise<void> {
  await container.restart({ t: STOP_SECONDS });
  await waitUntilHealthy(container, name);
}

/** Long enough to answer what was asked. */
const STOP_SECONDS = 10;

async function remove(docker: Docker, name: string): Promise<void> {
  try {
    await docker.getContainer(name).remove({ force: true });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  }
}
