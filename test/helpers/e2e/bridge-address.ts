import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type Docker from 'dockerode';
import { z } from 'zod';

const network = z.object({ IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string() })) }) });

/**
 * The address of this machine on Docker's bridge: containers of every network reach a server there, and so does this
 * machine; nothing else does.
 *
 * The kernel is asked for it. Docker 20.10 names no gateway of `bridge` until its daemon was started a second time, and
 * Node does not list an interface without carrier, which a bridge without containers has not.
 */
export async function bridgeAddress(docker: Docker): Promise<string> {
  const { IPAM } = network.parse(await docker.getNetwork('bridge').inspect());
  const subnet = IPAM.Config.map(({ Subnet }) => Subnet).find((candidate) => candidate.includes('.')) ?? '';
  const [base = '', bits = '0'] = subnet.split('/');
  const socket = createSocket('udp4');
  try {
    // chooses a route and its address, and sends nothing
    socket.connect(9, dotted(numeric(base) + 2));
    await once(socket, 'connect');
    const { address } = socket.address();
    const hosts = 2 ** (32 - Number(bits));
    if (Math.floor(numeric(address) / hosts) !== Math.floor(numeric(base) / hosts)) {
      throw new Error(
        `this machine has no address in ${subnet}, the network "bridge" of Docker; it would use ${address}`,
      );
    }
    return address;
  } finally {
    socket.close();
  }
}

function numeric(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
