{{- $name := printf "%s-server" .Release.Name }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels: {{ toJson .Values.commonMetaLabels }}
data:
  prometheus.yml: |
    global: {{ toJson .Values.server.global }}
    rule_files: {{ toJson (index .Values.serverFiles "prometheus.yml").rule_files }}
    scrape_configs:
{{ .Values.extraScrapeConfigs | default "[]" | indent 6 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{ toJson .Values.commonMetaLabels }}
spec:
  selector: {app: {{ $name }}}
  ports: [{name: http, port: 80, targetPort: 9090}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{ toJson .Values.commonMetaLabels }}
spec:
  selector:
    matchLabels: {app: {{ $name }}}
  template:
    metadata:
      labels: {app: {{ $name }}}
    spec:
      containers:
        - name: prometheus-server
          image: {{ .Values.server.image.repository }}:{{ .Values.server.image.tag }}
          args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data]
          readinessProbe:
            httpGet: {path: /-/ready, port: 9090}
            periodSeconds: 1
          volumeMounts:
            - {name: config, mountPath: /etc/config}
            - {name: data, mountPath: /data}
            {{- range .Values.server.extraConfigmapMounts }}
            - {name: {{ .name }}, mountPath: {{ .mountPath }}, readOnly: {{ .readOnly }}}
            {{- end }}
      volumes:
        - {name: config, configMap: {name: {{ $name }}}}
        - {name: data, emptyDir: {}}
        {{- range .Values.server.extraConfigmapMounts }}
        - {name: {{ .name }}, configMap: {name: {{ .configMap }}}}
        {{- end }}
