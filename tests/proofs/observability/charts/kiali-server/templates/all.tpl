apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Values.deployment.instance_name }}
  labels: {{ toJson .Values.deployment.extra_labels }}
data:
  # The public chart, too, makes a key by chance at every rendering: a second run must not render.
  config.yaml: {{ toJson (toYaml (merge (dict "signing_key" (randAlphaNum 32)) .Values)) }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Values.deployment.instance_name }}
  labels: {{ toJson .Values.deployment.extra_labels }}
spec:
  selector: {app: {{ .Values.deployment.instance_name }}}
  ports: [{name: http, port: 20001}]
