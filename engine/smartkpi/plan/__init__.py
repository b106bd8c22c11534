"""The plan: components, scans and steps; how KPIs are lowered to them and optimized."""
