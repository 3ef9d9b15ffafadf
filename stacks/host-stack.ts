import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { declareHost } from '../constructs/foundation';
import { Balancer } from '../constructs/haproxy/balancer';
import { EnvironmentStack } from './environment-stack';

/** What everything on one of several hosts stands on: networks, images, and the balancer. */
export class HostStack extends EnvironmentStack {
  /** @param deployment at that host */
  constructor(scope: Construct, deployment: DeploymentBase) {
    super(scope, ofHost('host', deployment), deployment);
    deployment.useDocker(this, { withLogins: true });
    declareHost(this, deployment);
    const { node } = deployment;
    const { host, balancer } = node;
    if (host !== undefined && balancer !== undefined) {
      new Balancer(this, 'Balancer', { deployment, node: { ...node, host, balancer } });
    }
  }
}

/** The name of the stack of a service: with several hosts, that of the service on one. */
export function ofHost(name: string, { node: { host } }: DeploymentBase): string {
  return host === undefined ? name : `${name}-${host.name}`;
}
