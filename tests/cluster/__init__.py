"""Valor on a real Kubernetes: installed, talked to, tormented, upgraded, rolled back, scaled, taken away."""
