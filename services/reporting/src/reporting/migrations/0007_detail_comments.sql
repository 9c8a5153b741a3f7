-- What every table and column means.

comment on table reporting.organisation_key is
  'Key map of organisations: one row per organisation ever named. No rebuild touches it, so keys in reports stay (代理键映射)';
comment on column reporting.organisation_key.organisation_key is
  'Surrogate key, for ever the same for one organisation';
comment on column reporting.organisation_key.organisation is
  'Natural key: the name by which services know the organisation';

comment on table reporting.service_key is
  'Key map of services: one row per service ever named. No rebuild touches it (代理键映射)';
comment on column reporting.service_key.service_key is 'Surrogate key, for ever the same for one service';
comment on column reporting.service_key.service is
  'Natural key: the name by which incidents and configuration items know the service';

comment on table reporting.person_key is
  'Key map of persons: one row per person ever named. No rebuild touches it (代理键映射)';
comment on column reporting.person_key.person_key is 'Surrogate key, for ever the same for one person';
comment on column reporting.person_key.person is 'Natural key: opaque id of the person';

comment on table reporting.configuration_item_key is
  'Key map of configuration items: one row per version of an item. No rebuild touches it (代理键映射)';
comment on column reporting.configuration_item_key.configuration_item_key is
  'Surrogate key, for ever the same for one version of an item';
comment on column reporting.configuration_item_key.item_id is 'Natural key: opaque id of the item';
comment on column reporting.configuration_item_key.version is 'Natural key: number of the version, from 1';

comment on table mart.dim_organisation is
  'Organisations: one row per customer organisation that any event named, and -1 for unknown (客户单位维度)';
comment on column mart.dim_organisation.organisation is
  'Natural key: the name by which services know the organisation; empty for unknown';
comment on column mart.dim_organisation.organisation_key is
  'Surrogate key that facts carry; stable over rebuilds; -1 for unknown';
comment on column mart.dim_organisation.name is
  'Name for people; the natural key, since no service announces another (名称)';

comment on table mart.dim_service is
  'Business services: one row per service that an incident named or that is a configuration item of a class of services, and -1 for unknown; as it stands now (业务服务维度)';
comment on column mart.dim_service.service is
  'Natural key: the key of the item, as incidents name it; empty for unknown';
comment on column mart.dim_service.service_key is
  'Surrogate key that facts carry; stable over rebuilds; -1 for unknown';
comment on column mart.dim_service.name is
  'Name for people, as the item is called; the natural key while it is not registered (名称)';
comment on column mart.dim_service.is_registered is
  'True if a configuration item of a class of services has this key now (是否登记)';
comment on column mart.dim_service.item_id is 'Id of that item; joins dim_configuration_item; null if not registered';
comment on column mart.dim_service.item_class is 'Class of that item; joins dim_item_class';
comment on column mart.dim_service.environment is 'production, disaster_recovery, staging, test, development (环境)';
comment on column mart.dim_service.criticality is 'critical, high, medium, low (重要程度)';
comment on column mart.dim_service.lifecycle is 'planned, in_stock, operational, retired (生命周期)';
comment on column mart.dim_service.organisation is 'Customer organisation of that item (客户单位)';
comment on column mart.dim_service.owner_team is 'Team that answers for it (责任团队)';

comment on table mart.dim_person is
  'Persons: one row per opaque id that an event of an incident or an item named, and -1 for unknown; no names or addresses (人员维度)';
comment on column mart.dim_person.person is 'Natural key: opaque id of the person; empty for unknown';
comment on column mart.dim_person.person_key is 'Surrogate key that facts carry; stable over rebuilds; -1 for unknown';
comment on column mart.dim_person.name is 'What to show: the opaque id, since no service announces names (显示名)';

comment on table mart.dim_item_class is
  'Classes of configuration items: one row per class, as last defined, and an empty one for unknown (配置项类别维度)';
comment on column mart.dim_item_class.item_class is 'Natural key: key of the class; empty for unknown';
comment on column mart.dim_item_class.name_zh is 'Name in Chinese';
comment on column mart.dim_item_class.name_en is 'Name in English';
comment on column mart.dim_item_class.needs_administrator is
  'True if items of the class must name a system administrator (R34)';
comment on column mart.dim_item_class.needs_database_administrator is
  'True if items of the class must name a database administrator (R34)';
comment on column mart.dim_item_class.is_service is 'True if items of the class are business services (是否业务服务)';
comment on column mart.dim_item_class.was_service is 'True if they were so under any revision';
comment on column mart.dim_item_class.revision is 'Revision of the definition, counted from 1';
comment on column mart.dim_item_class.defined_at is 'Instant of the latest definition';

comment on table mart.dim_configuration_item is
  'Configuration items: one row per item and version, true from valid_from up to valid_to, and -1 for unknown (配置项维度，SCD2)';
comment on column mart.dim_configuration_item.item_id is 'Natural key: opaque id of the item; empty for unknown';
comment on column mart.dim_configuration_item.version is 'Natural key: number of the version of the item, from 1';
comment on column mart.dim_configuration_item.configuration_item_key is
  'Surrogate key of the version; stable over rebuilds; -1 for unknown';
comment on column mart.dim_configuration_item.key is
  'Name by which people, monitoring and incidents know the item (配置项编号)';
comment on column mart.dim_configuration_item.name is 'Name for people (名称)';
comment on column mart.dim_configuration_item.item_class is 'Class; joins dim_item_class (类别)';
comment on column mart.dim_configuration_item.environment is
  'production, disaster_recovery, staging, test, development (环境)';
comment on column mart.dim_configuration_item.criticality is 'critical, high, medium, low (重要程度)';
comment on column mart.dim_configuration_item.lifecycle is 'planned, in_stock, operational, retired (生命周期)';
comment on column mart.dim_configuration_item.organisation is 'Customer organisation that it belongs to (客户单位)';
comment on column mart.dim_configuration_item.organisation_key is
  'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.dim_configuration_item.owner_team is 'Team that answers for it (责任团队)';
comment on column mart.dim_configuration_item.owner_team_key is 'Team that answers for it; joins dim_team; -1 if none';
comment on column mart.dim_configuration_item.administrator is 'Opaque id of its system administrator (系统管理员)';
comment on column mart.dim_configuration_item.administrator_key is
  'Its system administrator; joins dim_person; -1 if none';
comment on column mart.dim_configuration_item.database_administrator is
  'Opaque id of its database administrator (数据库管理员)';
comment on column mart.dim_configuration_item.database_administrator_key is
  'Its database administrator; joins dim_person; -1 if none';
comment on column mart.dim_configuration_item.source is
  'What registered or described it last: api, csv, or a discovery source (来源)';
comment on column mart.dim_configuration_item.merged_into is
  'Id of the item that it was merged into as a duplicate; null if it was not';
comment on column mart.dim_configuration_item.event_id is 'Event with which the version began';
comment on column mart.dim_configuration_item.valid_from is 'Instant from which the version is true (生效时间)';
comment on column mart.dim_configuration_item.valid_to is
  'Instant from which another one is; infinity for the current one (失效时间)';
comment on column mart.dim_configuration_item.is_current is 'True for the latest version of the item (是否当前)';

comment on column mart.fact_incident.external_system is 'System that an imported incident comes from (外部系统)';
comment on column mart.fact_incident.external_number is 'What that system calls it (外部编号)';
comment on column mart.fact_incident.parent_incident_id is
  'Incident of the failed item that is the likely cause; joins fact_incident; null if it is not grouped (父事件)';
comment on column mart.fact_incident.parent_number is 'Number of that incident for people';
comment on column mart.fact_incident.requester is 'Opaque id of the person who reported it (报告人)';
comment on column mart.fact_incident.requester_key is 'Person who reported it; joins dim_person; -1 if none';
comment on column mart.fact_incident.assignee is 'Opaque id of the person responsible now (处理人)';
comment on column mart.fact_incident.assignee_key is 'Person responsible now; joins dim_person; -1 if none';
comment on column mart.fact_incident.organisation_key is 'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.fact_incident.service_key is 'Service that is affected; joins dim_service; -1 if none';
comment on column mart.fact_incident.first_reply_at is
  'Instant of the first public note by somebody other than the requester (首次回复时间)';
comment on column mart.fact_incident.seconds_to_first_reply is
  'Wall seconds from opened_at to first_reply_at, rounded down (首次回复秒数)';
comment on column mart.fact_incident.first_resolved_at is
  'Instant of the first resolution; stands when it is reopened (首次解决时间)';
comment on column mart.fact_incident.hold_count is 'How often it was put on hold (挂起次数)';
comment on column mart.fact_incident.stretch_count is 'How many stretches of fact_incident_stretch it has so far';
comment on column mart.fact_incident.stretch_began_at is
  'Instant at which the present stretch began; null while it is not open';
comment on column mart.fact_incident.alert_fingerprint is 'Fingerprint of the alert behind it (告警指纹)';
comment on column mart.fact_incident.alert_source is 'Monitoring system of that alert (告警来源)';
comment on column mart.fact_incident.alert_count is 'How many episodes of fact_alert it has so far';
comment on column mart.fact_incident.alert_firing_since is
  'Instant since which the alert fires; null while it does not';
comment on column mart.fact_incident.opened_local_date is 'Day of opened_at in Asia/Shanghai (受理日期)';
comment on column mart.fact_incident.resolved_local_date is 'Day of resolved_at in Asia/Shanghai (解决日期)';

comment on column mart.fact_sla_clock.organisation_key is
  'Customer organisation, as the clock last named it; joins dim_organisation; -1 if none';
comment on column mart.fact_sla_clock.service_key is
  'Service, as the clock last named it; joins dim_service; -1 if none';
comment on column mart.fact_sla_clock.decided_local_date is 'Day of decided_at in Asia/Shanghai (判定日期)';

comment on table mart.fact_incident_event is
  'Events of incidents: one row per event of an incident, never changed (事件流水，交易粒度)';
comment on column mart.fact_incident_event.incident_id is 'Incident; joins fact_incident';
comment on column mart.fact_incident_event.version is 'Number of the event within its incident, from 1';
comment on column mart.fact_incident_event.event_id is
  'Id of the event, by which the services, the bus and the archive know it (事件标识)';
comment on column mart.fact_incident_event.event_type is 'Name of the event, for example IncidentResolved (事件类型)';
comment on column mart.fact_incident_event.occurred_at is 'Instant at which it happened (发生时间)';
comment on column mart.fact_incident_event.recorded_at is 'Instant at which it was recorded (记录时间)';
comment on column mart.fact_incident_event.occurred_date_key is 'Day of occurred_at in Asia/Shanghai; joins dim_date';
comment on column mart.fact_incident_event.occurred_local_date is 'Day of occurred_at in Asia/Shanghai (发生日期)';
comment on column mart.fact_incident_event.actor is 'Opaque id of the person or machine that caused it (操作人)';
comment on column mart.fact_incident_event.actor_key is 'Who caused it; joins dim_person; -1 if not known';
comment on column mart.fact_incident_event.state_after is
  'State of the incident after it: new, assigned, in_progress, on_hold, resolved, closed, cancelled (事后状态)';
comment on column mart.fact_incident_event.seconds_since_previous is
  'Wall seconds since the event before it, rounded down; null for the first';
comment on column mart.fact_incident_event.import_id is 'Import that told it; null if it was recorded here';
comment on column mart.fact_incident_event.priority_key is
  'Priority after the event; joins dim_priority; -1 if not known (优先级)';
comment on column mart.fact_incident_event.team is 'Team responsible after the event; null if none (团队)';
comment on column mart.fact_incident_event.team_key is 'Team responsible after the event; joins dim_team; -1 if none';
comment on column mart.fact_incident_event.organisation is 'Customer organisation (客户单位)';
comment on column mart.fact_incident_event.organisation_key is
  'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.fact_incident_event.service is 'Service that is affected (服务)';
comment on column mart.fact_incident_event.service_key is 'Service that is affected; joins dim_service; -1 if none';
comment on column mart.fact_incident_event.category is 'Category given at opening (类别)';

comment on table mart.fact_incident_stretch is
  'Stretches of being open: one row per time in which an incident was open with one priority and team; those that hold an instant are the backlog of that instant (未结时段)';
comment on column mart.fact_incident_stretch.incident_id is 'Incident; joins fact_incident';
comment on column mart.fact_incident_stretch.stretch_no is 'Number of the stretch within its incident, from 1';
comment on column mart.fact_incident_stretch.incident_number is 'Number of the incident for people';
comment on column mart.fact_incident_stretch.began_at is 'Instant at which it began (开始时间)';
comment on column mart.fact_incident_stretch.ended_at is 'Instant at which it ended; infinity while it lasts (结束时间)';
comment on column mart.fact_incident_stretch.opened_at is
  'Instant when the incident was reported, from which its age counts (受理时间)';
comment on column mart.fact_incident_stretch.priority_key is
  'Priority during the stretch; joins dim_priority; -1 if not known (优先级)';
comment on column mart.fact_incident_stretch.team is 'Team responsible during the stretch; null if none (团队)';
comment on column mart.fact_incident_stretch.team_key is
  'Team responsible during the stretch; joins dim_team; -1 if none';
comment on column mart.fact_incident_stretch.organisation is 'Customer organisation (客户单位)';
comment on column mart.fact_incident_stretch.organisation_key is
  'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.fact_incident_stretch.service is 'Service that is affected (服务)';
comment on column mart.fact_incident_stretch.service_key is 'Service that is affected; joins dim_service; -1 if none';
comment on column mart.fact_incident_stretch.category is 'Category given at opening (类别)';

comment on table mart.fact_alert is
  'Alerts: one row per episode in which the alert behind an incident fired; repeats that monitoring sent while it fired are not told apart (告警)';
comment on column mart.fact_alert.incident_id is 'Incident that the alert opened or came to; joins fact_incident';
comment on column mart.fact_alert.episode_no is 'Number of the episode within its incident, from 1';
comment on column mart.fact_alert.incident_number is 'Number of the incident for people';
comment on column mart.fact_alert.alert_fingerprint is 'Fingerprint of the alert (告警指纹)';
comment on column mart.fact_alert.alert_source is 'Monitoring system that it came from (告警来源)';
comment on column mart.fact_alert.began_at is 'Instant since which it fired (开始时间)';
comment on column mart.fact_alert.began_date_key is 'Day of began_at in Asia/Shanghai; joins dim_date';
comment on column mart.fact_alert.ended_at is 'Instant at which it stopped; null while it fires (结束时间)';
comment on column mart.fact_alert.seconds_firing is
  'Wall seconds from began_at to ended_at, rounded down; null while it fires (持续秒数)';
comment on column mart.fact_alert.opened_incident is
  'True if the incident was opened for this episode; false if it came to one that was there (是否产生事件)';
comment on column mart.fact_alert.priority_key is
  'Priority when the episode was last told; joins dim_priority; -1 if not known (优先级)';
comment on column mart.fact_alert.team is 'Team responsible when the episode was last told; null if none (团队)';
comment on column mart.fact_alert.team_key is
  'Team responsible when the episode was last told; joins dim_team; -1 if none';
comment on column mart.fact_alert.organisation is 'Customer organisation (客户单位)';
comment on column mart.fact_alert.organisation_key is 'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.fact_alert.service is 'Service that is affected (服务)';
comment on column mart.fact_alert.service_key is 'Service that is affected; joins dim_service; -1 if none';
comment on column mart.fact_alert.category is 'Category given at opening (类别)';

comment on view mart.fact_backlog_daily is
  'Backlog: one row per day of Asia/Shanghai, priority, team, organisation and service that has anything to tell; up to the day of the latest event, whose counts are as of that event (每日未结快照)';
comment on column mart.fact_backlog_daily.local_date is 'The day, in Asia/Shanghai (日期)';
comment on column mart.fact_backlog_daily.priority_key is
  'Priority at the time; joins dim_priority; -1 if not known (优先级)';
comment on column mart.fact_backlog_daily.team is 'Team responsible at the time; empty if none (团队)';
comment on column mart.fact_backlog_daily.organisation is 'Customer organisation; empty if none (客户单位)';
comment on column mart.fact_backlog_daily.service is 'Service; empty if none (服务)';
comment on column mart.fact_backlog_daily.date_key is 'The day; joins dim_date';
comment on column mart.fact_backlog_daily.team_key is 'Team responsible at the time; joins dim_team; -1 if none';
comment on column mart.fact_backlog_daily.organisation_key is
  'Customer organisation; joins dim_organisation; -1 if none';
comment on column mart.fact_backlog_daily.service_key is 'Service; joins dim_service; -1 if none';
comment on column mart.fact_backlog_daily.open_count is
  'Incidents open at the end of the day; do not add days up (日末未结数)';
comment on column mart.fact_backlog_daily.age_seconds is
  'Sum of their ages at the end of the day, wall seconds since they were reported (总龄期秒数)';
comment on column mart.fact_backlog_daily.age_under_1_day is 'Of these, younger than 24 hours';
comment on column mart.fact_backlog_daily.age_1_to_3_days is 'Of these, from 1 to less than 3 times 24 hours old';
comment on column mart.fact_backlog_daily.age_3_to_7_days is 'Of these, from 3 to less than 7 times 24 hours old';
comment on column mart.fact_backlog_daily.age_7_to_30_days is 'Of these, from 7 to less than 30 times 24 hours old';
comment on column mart.fact_backlog_daily.age_over_30_days is 'Of these, 30 times 24 hours old or older';
comment on column mart.fact_backlog_daily.opened_count is 'Incidents opened on the day, cancelled ones included (当日新增)';
comment on column mart.fact_backlog_daily.resolved_count is
  'Resolutions on the day; one incident may have several (当日解决)';
comment on column mart.fact_backlog_daily.reopened_count is 'Reopenings on the day (当日重开)';
comment on column mart.fact_backlog_daily.cancelled_count is 'Incidents cancelled on the day (当日取消)';

comment on type reporting.incident_row_2 is 'A row of fact_incident on its way there';
comment on type reporting.clock_row_2 is 'A row of fact_sla_clock on its way there';
comment on type reporting.event_row is 'A row of fact_incident_event on its way there';
comment on type reporting.stretch_row is 'A row of fact_incident_stretch on its way there';
comment on type reporting.alert_row is 'A row of fact_alert on its way there';
comment on type reporting.item_row is 'A row of dim_configuration_item on its way there';
comment on function reporting.key_of_item is 'The key of a version of an item, a new one for a new version';
comment on function reporting.backlog_daily is 'What mart.fact_backlog_daily shows';
