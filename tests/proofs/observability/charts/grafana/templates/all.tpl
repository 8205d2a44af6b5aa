{{- $old := (lookup "v1" "Secret" .Release.Namespace .Release.Name).data | default dict }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
  labels: {{ toJson .Values.extraLabels }}
data:
  admin-user: {{ b64enc "admin" }}
  admin-password: {{ index $old "admin-password" | default (randAlphaNum 40 | b64enc) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {{ toJson .Values.extraLabels }}
data:
  datasources.yaml: {{ toJson (toYaml (index .Values.datasources "datasources.yaml")) }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {{ toJson .Values.extraLabels }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 80, targetPort: 3000}]
