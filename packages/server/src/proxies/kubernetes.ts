import type { ProxySettings } from './proxy-settings.ts';

/** A Deployment, its Service, and an HTTPRoute of the Gateway API. */
export function kubernetesConfig(settings: ProxySettings): string {
  const { upstreamPort, publicHost, paths, trees, drainSeconds } = settings;
  const matches = [
    ...paths.map((path) => `        - path: { type: Exact, value: "${path}" }`),
    ...trees.map((tree) => `        - path: { type: PathPrefix, value: "${tree}" }`),
  ];
  return `# untested: written from the documentation of Kubernetes and its Gateway API, not run by the tests
# Set the image, and a Secret "holdfast" with HOLDFAST_CLIENT_TOKEN_HMAC_SECRET_KEY and
# HOLDFAST_HTTP_API_KEY. One replica: live state is in the memory of the process.
apiVersion: apps/v1
kind: Deployment
metadata: { name: holdfast }
spec:
  replicas: 1
  selector: { matchLabels: { app: holdfast } }
  template:
    metadata: { labels: { app: holdfast } }
    spec:
      # Longer than shutdown.timeout, in which clients are told to go.
      terminationGracePeriodSeconds: ${drainSeconds + 10}
      containers:
        - name: holdfast
          image: holdfast:latest
          env:
            - { name: HOLDFAST_HTTP_SERVER_ADDRESS, value: "0.0.0.0" }
            - { name: HOLDFAST_HTTP_SERVER_PORT, value: "${upstreamPort}" }
            - { name: HOLDFAST_HEALTH_ENABLED, value: "true" }
          envFrom: [{ secretRef: { name: holdfast } }]
          ports: [{ containerPort: ${upstreamPort} }]
          livenessProbe: { httpGet: { path: /health, port: ${upstreamPort} } }
          readinessProbe: { httpGet: { path: /ready, port: ${upstreamPort} } }
          # A number: of an image's user that is a name nobody can tell whether it is root.
          securityContext: { runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false }
---
apiVersion: v1
kind: Service
metadata: { name: holdfast }
spec:
  selector: { app: holdfast }
  ports: [{ port: ${upstreamPort}, targetPort: ${upstreamPort}, appProtocol: kubernetes.io/ws }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: holdfast }
spec:
  parentRefs: [{ name: gateway }]
  hostnames: ["${publicHost}"]
  rules:
    - matches:
${matches.join('\n')}
      # 0s: no limit on the whole answer.
      timeouts: { request: 0s, backendRequest: 0s }
      backendRefs: [{ name: holdfast, port: ${upstreamPort} }]
`;
}
