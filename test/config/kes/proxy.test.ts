import { parseEnvironment } from '../../../config/load';
import { proxyVariables } from '../../../config/kes/proxy';
import { thrownBy } from '../../helpers/thrown';

const read = (proxy: string) =>
  parseEnvironment(`name: demo\nkeyStore: { type: aws, region: eu-central-1, proxy: "${proxy}" }`, 'demo.yaml');

const SECRET = 'must be without user and password, because whoever may use Docker reads it in `docker inspect`';
const SHAPE = 'must be http://host:port; what goes through the proxy is TLS all the same';

test.each([
  ['http://ann:pass@proxy.example.com:3128', SECRET],
  ['http://ann@proxy.example.com:3128', SECRET],
  ['https://ann:pass@proxy.example.com', SECRET],
  ['https://proxy.example.com:3128', SHAPE],
  ['socks5://proxy.example.com:1080', SHAPE],
  ['proxy.example.com:3128', SHAPE],
  ['http://proxy.example.com:3128/path', SHAPE],
])('%s is refused, and no password repeated', (proxy, message) => {
  const error = thrownBy(() => read(proxy));
  expect(error.message).toContain(`keyStore.proxy: ${message}`);
  expect(error.message).not.toContain('pass@');
});

test.each(['http://proxy.example.com:3128', 'http://192.0.2.7:3128', 'http://[2001:db8::7]:3128/'])(
  '%s is taken',
  (proxy) => {
    const { keyStore } = read(proxy);
    expect(proxyVariables(keyStore)).toEqual({ HTTPS_PROXY: proxy });
  },
);

test('other key stores have none', () => {
  const { keyStore } = parseEnvironment('name: demo\nvault: { mode: embedded }', 'demo.yaml');
  expect(proxyVariables(keyStore)).toEqual({});
});
