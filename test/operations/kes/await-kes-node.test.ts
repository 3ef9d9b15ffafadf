import { awaitKesNode } from '../../../operations/kes/await-kes-node';
import { ThrowawayCa } from '../../helpers/certificates';
import { FakeKes } from '../../helpers/servers/fake-kes';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

test('a KES is waited for until it reaches its key store', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const kes = await FakeKes.start({ ...(await ca.issue('server')), clientCaFile: ca.file });
  kes.status = { keystore_unreachable: true };
  let reaches = false;
  const waiting = awaitKesNode({
    host: 'b',
    endpoint: { url: kes.url, caFile: ca.file, ...(await ca.issue('client')) },
  }).then(() => reaches);
  setTimeout(() => {
    reaches = true;
    kes.status = {};
  }, 300);
  expect(await waiting).toBe(true);
  await kes.stop();
});
