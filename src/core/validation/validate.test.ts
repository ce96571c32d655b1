import fc from 'fast-check';
import type { PersistentVolume, PersistentVolumeClaim } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Container, Pod, PodSpec, Volume } from '../pod.ts';
import { isOpen, type Policy } from './policy.ts';
import { refusal, violationsOf } from './validate.ts';
import type { Claims } from './volumes.ts';

const c = (more: Partial<Container> = {}): Container => ({ name: 'c', ...more });
const secure = (securityContext: Container['securityContext']): Container =>
  c(securityContext ? { securityContext } : {});
const adds = (...add: string[]): Container => secure({ capabilities: { add } });
const pod = (spec: Partial<PodSpec>, owner?: string): Pod => ({
  metadata: owner ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: owner, name: 'o', uid: 'u' }] } : {},
  spec: { containers: [c()], ...spec },
});
const volumes = (...list: Volume[]): Partial<PodSpec> => ({ volumes: list });

const judge = (p: Pod, policy: Policy = {}, claims?: Claims) => refusal(p, violationsOf(p, policy, claims));
const kubelet = (p: Pod, claims?: Claims) => refusal(p, violationsOf(p, {}, claims), 'kubelet');

const PREFIX = 'Pod not supported on Fargate: ';

describe('the scheduler’s message (spec §3)', () => {
  it.each<[string, Pod, string | undefined]>([
    ['a plain pod', pod({}), undefined],
    ['a DaemonSet', pod({}, 'DaemonSet'), 'DaemonSet not supported'],
    ['a ReplicaSet', pod({}, 'ReplicaSet'), undefined],
    ['host network', pod({ hostNetwork: true }), 'fields not supported: HostNetwork'],
    [
      'host namespaces in their order',
      pod({ hostIPC: true, hostPID: true, hostNetwork: true }),
      'fields not supported: HostNetwork, HostPID, HostIPC',
    ],
    ['false is fine', pod({ hostNetwork: false, hostPID: false, hostIPC: false }), undefined],
    [
      'privileged',
      pod({ containers: [secure({ privileged: true })] }),
      'invalid SecurityContext fields: Privileged',
    ],
    [
      'two privileged containers',
      pod({ containers: [secure({ privileged: true }), secure({ privileged: true })] }),
      'invalid SecurityContext fields: Privileged,Privileged',
    ],
    [
      'explicit escalation',
      pod({ containers: [secure({ allowPrivilegeEscalation: true })] }),
      'invalid SecurityContext fields: AllowPrivilegeEscalation',
    ],
    [
      'no escalation',
      pod({ containers: [secure({ allowPrivilegeEscalation: false, privileged: false })] }),
      undefined,
    ],
    [
      'a capability',
      pod({ containers: [adds('NET_ADMIN')] }),
      'invalid SecurityContext fields: Capabilities added: NET_ADMIN',
    ],
    [
      'capabilities by exact name',
      pod({ containers: [adds('CAP_CHOWN', 'CHOWN', 'chown', 'ALL')] }),
      'invalid SecurityContext fields: Capabilities added: CAP_CHOWN, chown, ALL',
    ],
    [
      'the default set',
      pod({
        containers: [
          adds(
            'AUDIT_WRITE',
            'CHOWN',
            'DAC_OVERRIDE',
            'FOWNER',
            'FSETID',
            'KILL',
            'MKNOD',
            'NET_BIND_SERVICE',
            'NET_RAW',
            'SETFCAP',
            'SETGID',
            'SETPCAP',
            'SETUID',
            'SYS_CHROOT',
          ),
        ],
      }),
      undefined,
    ],
    ['dropped capabilities', pod({ containers: [secure({ capabilities: { drop: ['ALL'] } })] }), undefined],
    [
      'the fixture of the kubelet, in an init container',
      pod({
        initContainers: [adds('NET_ADMIN', 'IPC_LOCK', 'LINUX_IMMUTABLE', 'SYS_PTRACE', 'SYS_RESOURCE')],
      }),
      'invalid SecurityContext fields: Capabilities added: NET_ADMIN, IPC_LOCK, LINUX_IMMUTABLE, SYS_PTRACE, SYS_RESOURCE',
    ],
    [
      'items of one container, init containers first',
      pod({
        initContainers: [secure({ privileged: true })],
        containers: [
          secure({ privileged: true, allowPrivilegeEscalation: true, capabilities: { add: ['ALL'] } }),
        ],
      }),
      'invalid SecurityContext fields: Privileged,Capabilities added: ALL, AllowPrivilegeEscalation, Privileged',
    ],
    [
      'a pod-level security context',
      pod({ securityContext: { runAsUser: 0, sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
      undefined,
    ],
    [
      'volumes that work',
      pod(
        volumes(
          { name: 'a', emptyDir: {} },
          { name: 'b', secret: {} },
          { name: 'c', configMap: {} },
          { name: 'd', projected: {} },
          { name: 'e', downwardAPI: {} },
          { name: 'f', nfs: { path: '/', server: 's' } },
          { name: 'g', persistentVolumeClaim: { claimName: 'x' } },
          { name: 'h' },
        ),
      ),
      undefined,
    ],
    [
      'volumes that do not',
      pod(
        volumes(
          { name: 'mntdatas3fs', hostPath: { path: '/' } },
          { name: 'x', csi: { driver: 'd' } },
          { name: 'y', ephemeral: {} },
        ),
      ),
      'volumes not supported: mntdatas3fs is of an unsupported volume Type, x is of an unsupported volume Type, y is of an unsupported volume Type',
    ],
    [
      'block devices, once',
      pod({
        containers: [
          c({ volumeDevices: [{ name: 'v', devicePath: '/d' }] }),
          c({ volumeDevices: [{ name: 'w', devicePath: '/e' }] }),
        ],
      }),
      'volumeDevices not supported',
    ],
    [
      'a host port',
      pod({ containers: [c({ ports: [{ containerPort: 80, hostPort: 80 }] })] }),
      'port contains HostIP or HostPort',
    ],
    [
      'a host address, once',
      pod({
        initContainers: [c({ ports: [{ containerPort: 1, hostIP: '1.2.3.4' }] })],
        containers: [c({ ports: [{ containerPort: 80, hostPort: 80 }] })],
      }),
      'port contains HostIP or HostPort',
    ],
    [
      'a plain port',
      pod({
        containers: [c({ ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 0, hostIP: '' }] })],
      }),
      undefined,
    ],
    [
      'a GPU',
      pod({ containers: [c({ resources: { limits: { 'nvidia.com/gpu': '1' } } })] }),
      'resources not supported: nvidia.com/gpu',
    ],
    ['claims of resources', pod({ resourceClaims: [{ name: 'gpu' }] }), 'resources not supported: gpu'],
    [
      'sample of aws-efs-csi-driver#589',
      pod({
        hostNetwork: true,
        containers: [
          c({ securityContext: { privileged: true }, ports: [{ containerPort: 1, hostPort: 1 }] }),
        ],
      }),
      'fields not supported: HostNetwork, invalid SecurityContext fields: Privileged, port contains HostIP or HostPort',
    ],
    [
      'sample of kube-s3#14',
      pod({
        containers: [secure({ privileged: true })],
        volumes: [{ name: 'mntdatas3fs', hostPath: { path: '/' } }],
      }),
      'invalid SecurityContext fields: Privileged, volumes not supported: mntdatas3fs is of an unsupported volume Type',
    ],
  ])('%s', (_, p, expected) => {
    expect(judge(p)).toBe(expected && PREFIX + expected);
  });
});

describe('every kind of volume but those that are allowed (spec §3.3)', () => {
  it.each([
    ...['awsElasticBlockStore', 'azureDisk', 'azureFile', 'cephfs', 'cinder', 'csi', 'ephemeral', 'fc'],
    ...['flexVolume', 'flocker', 'gcePersistentDisk', 'gitRepo', 'glusterfs', 'hostPath', 'image', 'iscsi'],
    ...['photonPersistentDisk', 'portworxVolume', 'quobyte', 'rbd', 'scaleIO', 'storageos', 'vsphereVolume'],
  ])('%s', (kind) => {
    const list: Volume[] = [{ name: 'v', [kind]: {} }];
    const text = 'v is of an unsupported volume Type';
    expect(judge(pod({ volumes: list }))).toBe(`${PREFIX}volumes not supported: ${text}`);
    expect(kubelet(pod({ schedulerName: 'fargate-scheduler', volumes: list }))).toBe(
      `Pod not supported: ${text}`,
    );
  });
});

const everything = pod(
  {
    schedulerName: 'default-scheduler',
    hostPID: true,
    containers: [
      c({
        securityContext: { privileged: true },
        volumeDevices: [{ name: 'v', devicePath: '/d' }],
        ports: [{ containerPort: 1, hostPort: 1 }],
        resources: { limits: { 'nvidia.com/gpu': '1' } },
      }),
    ],
    volumes: [
      { name: 'a', hostPath: { path: '/' } },
      { name: 'b', csi: { driver: 'x' } },
    ],
  },
  'DaemonSet',
);

describe('all violations at once', () => {
  it('in the scheduler’s order', () => {
    expect(judge(everything)).toBe(
      `${PREFIX}DaemonSet not supported, fields not supported: HostPID, invalid SecurityContext fields: Privileged, ` +
        'volumes not supported: a is of an unsupported volume Type, b is of an unsupported volume Type, ' +
        'volumeDevices not supported, port contains HostIP or HostPort, resources not supported: nvidia.com/gpu',
    );
  });

  it('in the kubelet’s order', () => {
    expect(kubelet(everything)).toBe(
      'Pod not supported: SchedulerName is not fargate-scheduler, DaemonSet not supported, fields not supported: HostPID, ' +
        'a is of an unsupported volume Type, b is of an unsupported volume Type, ' +
        'invalid SecurityContext fields: Privileged, volumeDevices not supported, port contains HostIP or HostPort, ' +
        'resources not supported: nvidia.com/gpu',
    );
    expect(kubelet(pod({}, 'DaemonSet'))).toBe(
      'Pod not supported: SchedulerName is not fargate-scheduler, DaemonSet not supported',
    );
    const fixture = adds('NET_ADMIN', 'IPC_LOCK', 'LINUX_IMMUTABLE', 'SYS_PTRACE', 'SYS_RESOURCE');
    expect(kubelet(pod({ schedulerName: 'fargate-scheduler', initContainers: [fixture] }))).toBe(
      'Pod not supported: invalid SecurityContext fields: Capabilities added: NET_ADMIN, IPC_LOCK, LINUX_IMMUTABLE, SYS_PTRACE, SYS_RESOURCE',
    );
    expect(kubelet(pod({}))).toBe('Pod not supported: SchedulerName is not fargate-scheduler');
    expect(kubelet(pod({ schedulerName: 'fargate-scheduler' }))).toBeUndefined();
  });

  it('with pointers to every field', () => {
    expect(violationsOf(everything).map(({ topic, at }) => [topic, at])).toEqual([
      ['owner', ['/metadata/ownerReferences']],
      ['fields', ['/spec/hostPID']],
      ['security', ['/spec/containers/0/securityContext/privileged']],
      ['volumes', ['/spec/volumes/0', '/spec/volumes/1']],
      ['devices', ['/spec/containers/0/volumeDevices']],
      ['ports', ['/spec/containers/0/ports/0/hostPort']],
      ['resources', []],
    ]);
  });
});

const bound = (volumeName: string): PersistentVolumeClaim => ({
  spec: { volumeName },
  status: { phase: 'Bound' },
});
const claims = (claim?: PersistentVolumeClaim, volume?: PersistentVolume): Claims => ({
  claim: (name) => (name === 'data' ? claim : undefined),
  volume: (name) => (name === 'pv' ? volume : undefined),
});
const efs: PersistentVolume = { spec: { csi: { driver: 'efs.csi.aws.com', volumeHandle: 'fs-1' } } };
const ebs: PersistentVolume = { spec: { csi: { driver: 'ebs.csi.aws.com', volumeHandle: 'v' } } };

describe('claims (spec §3.3)', () => {
  const p = pod(volumes({ name: 'vol', persistentVolumeClaim: { claimName: 'data' } }));
  it.each<[string, Claims, string | undefined, boolean]>([
    ['none', claims(), 'persistentvolumeclaim "data" not found', true],
    ['pending', claims({ spec: {}, status: { phase: 'Pending' } }), 'PVC data not bound', true],
    ['lost', claims({ spec: { volumeName: 'pv' }, status: { phase: 'Lost' } }), 'PVC data not bound', true],
    ['without status', claims({ spec: { volumeName: 'pv' } }), 'PVC data not bound', true],
    ['on a volume that is not known yet', claims(bound('pv')), 'persistentvolume "pv" not found', true],
    [
      'on a volume without CSI',
      claims(bound('pv'), { spec: { hostPath: { path: '/' } } }),
      'PVC data bound to invalid PV pv with nil CSI spec',
      false,
    ],
    [
      'on another driver',
      claims(bound('pv'), ebs),
      'PVC data bound to invalid PV pv with CSI Driver: ebs.csi.aws.com',
      false,
    ],
    ['on EFS', claims(bound('pv'), efs), undefined, false],
  ])('%s', (_, known, reason, transient) => {
    const expected = reason && `volumes not supported: vol not supported because: ${reason}`;
    expect(judge(p, {}, known)).toBe(expected && PREFIX + expected);
    if (reason) expect(violationsOf(p, {}, known)[0]?.transient).toBe(transient);
    expect(kubelet({ ...p, spec: { ...p.spec, schedulerName: 'fargate-scheduler' } }, known)).toBe(
      reason && `Pod not supported: vol not supported because: ${reason}`,
    );
  });

  it('are not judged at admission', () => expect(judge(p)).toBeUndefined());

  it.each<[string, PersistentVolume['spec'], string | undefined]>([
    ['hostPath', { hostPath: { path: '/' } }, undefined],
    ['nfs', { nfs: { server: 'n', path: '/' } }, undefined],
    [
      'iscsi',
      { iscsi: { iqn: 'i', lun: 0, targetPortal: 't' } },
      'PVC data bound to invalid PV pv with nil CSI spec',
    ],
    ['EBS', ebs.spec, 'PVC data bound to invalid PV pv with CSI Driver: ebs.csi.aws.com'],
  ])('on %s, where the profile allows more volumes', (_, spec, reason) => {
    const known = claims(bound('pv'), { ...(spec && { spec }) });
    const clause = reason && `${PREFIX}volumes not supported: vol not supported because: ${reason}`;
    expect(judge(p, { volumes: true }, known)).toBe(clause);
  });

  it('pass with time only if nothing lasting is refused', () => {
    const mixed = pod(
      volumes(
        { name: 'vol', persistentVolumeClaim: { claimName: 'data' } },
        { name: 'h', hostPath: { path: '/' } },
      ),
    );
    expect(violationsOf(mixed, {}, claims())[0]?.transient).toBe(false);
  });
});

describe('policy', () => {
  it.each<[keyof Policy, Pod]>([
    ['hostNamespaces', pod({ hostNetwork: true, hostPID: true, hostIPC: true })],
    ['privileged', pod({ containers: [secure({ privileged: true, allowPrivilegeEscalation: true })] })],
    ['capabilities', pod({ containers: [adds('SYS_ADMIN')] })],
    ['hostPorts', pod({ containers: [c({ ports: [{ containerPort: 1, hostPort: 1 }] })] })],
    ['volumes', pod(volumes({ name: 'a', hostPath: { path: '/' } }))],
  ])('%s allows exactly its own', (field, p) => {
    expect(judge(p)).toBeDefined();
    expect(judge(p, { [field]: true })).toBeUndefined();
    const others = {
      hostNamespaces: true,
      privileged: true,
      capabilities: true,
      hostPorts: true,
      volumes: true,
      sysctls: true,
    };
    expect(judge(p, { ...others, [field]: false })).toBe(judge(p));
  });

  it('never allows what cannot work', () => {
    const open = {
      hostNamespaces: true,
      privileged: true,
      capabilities: true,
      hostPorts: true,
      volumes: true,
    };
    expect(judge(everything, open)).toBe(
      `${PREFIX}DaemonSet not supported, volumes not supported: b is of an unsupported volume Type, ` +
        'volumeDevices not supported, resources not supported: nvidia.com/gpu',
    );
  });

  it('is open when anything is allowed', () => {
    expect(isOpen({})).toBe(false);
    expect(isOpen({ reject: true })).toBe(false);
    const rest: Policy[] = [
      { sysctls: true },
      { topology: true },
      { rlimits: {} },
      { nodeLabels: { a: '' } },
    ];
    for (const policy of rest) expect(isOpen(policy)).toBe(true);
  });
});

describe('any pod', () => {
  const container = fc.record(
    {
      name: fc.constant('c'),
      securityContext: fc.option(
        fc.record(
          {
            privileged: fc.option(fc.boolean(), { nil: undefined }),
            allowPrivilegeEscalation: fc.option(fc.boolean(), { nil: undefined }),
            capabilities: fc.option(
              fc.record({ add: fc.array(fc.constantFrom('CHOWN', 'NET_ADMIN', 'ALL')) }),
              { nil: undefined },
            ),
          },
          { requiredKeys: [] },
        ),
        { nil: undefined },
      ),
      ports: fc.array(
        fc.record({
          containerPort: fc.nat(),
          hostPort: fc.constantFrom(0, 80),
          hostIP: fc.constantFrom('', '1.1.1.1'),
        }),
        { maxLength: 2 },
      ),
      volumeDevices: fc.array(fc.constant({ name: 'v', devicePath: '/d' }), { maxLength: 1 }),
    },
    { requiredKeys: ['name'] },
  );
  const spec = fc.record(
    {
      containers: fc.array(container, { maxLength: 3 }),
      initContainers: fc.array(container, { maxLength: 2 }),
      hostNetwork: fc.boolean(),
      hostPID: fc.boolean(),
      hostIPC: fc.boolean(),
      volumes: fc.array(
        fc.constantFrom<Volume>(
          { name: 'e', emptyDir: {} },
          { name: 'h', hostPath: { path: '/' } },
          { name: 'n' },
        ),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ['containers'] },
  );

  /** Written apart from the real thing: does the pod have any field that §3 refuses? */
  const refused = (text: string): boolean =>
    /"host(Network|PID|IPC)":true|"privileged":true|"allowPrivilegeEscalation":true|"hostPort":80|"hostIP":"1|"hostPath"|"devicePath"|NET_ADMIN|"ALL"/.test(
      text,
    );

  it('passes if and only if it has no refused field', () => {
    fc.assert(
      fc.property(spec, (s) => {
        const p = { metadata: {}, spec: s as PodSpec };
        expect(judge(p) !== undefined).toBe(refused(JSON.stringify(s)));
        expect(judge(p)?.slice(0, PREFIX.length)).toBe(judge(p) && PREFIX);
      }),
      { numRuns: 3000 },
    );
  });
});
